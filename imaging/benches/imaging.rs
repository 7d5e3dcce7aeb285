//! How fast `ghost-imager` saves, checks and restores a disk, against the same tools typed by hand, in the same run
//! and on the same file system.
//!
//! The disk is a plain file, made by `tests/disk/make-mixed-disk`: a GPT with one ext4, three eighths of it mixed files
//! (programs and texts of this machine, and bytes that do not compress). `SIZE=4096` sets its size in MiB; 1024 is the
//! default. By hand it is `dd | zstd` of the whole disk and `partclone | zstd` of the partition, at the same level, with
//! a sync at the end as ours has. The check reads the pieces' checksums, against `sha256sum --check` of the same files. Processor time is
//! that of the way and of all that it started; it says more than the time on a machine that does something else too.
//! Memory is the proportional set size of our process and all that it started, sampled every 20 ms in a run of its own,
//! since looking takes time; what a loop device or the page cache has is not in either.
//!
//! The last table is of a disk that is one gap of zeros, `GAP=102400` MiB, in which nothing can be left out.
//!
//! Prints tables; asserts nothing. Medians. Needs root (loop devices) and what `tests/host-packages` lists.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ghost_imaging::check::{self, Depth};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const RUNS: usize = 3;
const MIB: u64 = 1 << 20;
const IMAGER: &str = env!("CARGO_BIN_EXE_ghost-imager");
const MAKE_DISK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/disk/make-mixed-disk");

fn main() -> Outcome {
    let megabytes: u64 = std::env::var("SIZE").ok().and_then(|size| size.parse().ok()).unwrap_or(1024);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let place = Place { folder: folder.path().to_owned(), size: megabytes * MIB };
    place.make_disk()?;
    let held = place.size * 3 / 8;
    println!("a disk of {megabytes} MiB with {} MiB of files", held / MIB);
    place.measure(held)?;
    let gap: u64 = std::env::var("GAP").ok().and_then(|size| size.parse().ok()).unwrap_or(102_400);
    place.measure_gap(gap * MIB)
}

struct Place {
    folder: PathBuf,
    size: u64,
}

#[derive(Default)]
struct Way {
    times: Vec<Duration>,
    work: Vec<Duration>,
    stored: u64,
    memory: u64,
}

impl Way {
    fn measure<T>(&mut self, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let (start, before) = (Instant::now(), processor_time()?);
        let done = work()?;
        self.times.push(start.elapsed());
        self.work.push(processor_time()? - before);
        Ok(done)
    }
}

impl Place {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn make_disk(&self) -> Outcome {
        run(Command::new(MAKE_DISK).args([&self.path("disk"), &(self.size / MIB).to_string()]))
    }

    /// A shell's pipeline; `$part` is a loop device of the partition of this file.
    fn by_hand(&self, script: &str, of: &str, way: &mut Way) -> Outcome {
        let made = Command::new("losetup")
            .args(["--find", "--show", "--offset", &MIB.to_string(), "--sizelimit"])
            .args([&(self.size - 2 * MIB).to_string(), &self.path(of)])
            .output()?;
        let part = String::from_utf8(made.stdout)?.trim().to_owned();
        let script = format!("set -euo pipefail; cd {}; {script}", self.folder.display());
        let worked = way.measure(|| run(Command::new("bash").args(["-c", &script]).env("part", &part)));
        run(Command::new("losetup").args(["--detach", &part]))?;
        worked
    }

    fn ours(&self, verb: &str) -> Outcome<Command> {
        fs::write(self.path("settings"), "{\"restore_check\": \"skip\"}")?;
        let mut command = Command::new(IMAGER);
        command.args([verb, "--image", &self.path("image"), "--settings", &self.path("settings")]);
        if verb != "check" {
            command.args(["--disk", &self.path(if verb == "backup" { "disk" } else { "target" })]);
        }
        command.stdout(Stdio::null());
        Ok(command)
    }

    /// None is overwritten while it is measured.
    fn no_images(&self) -> Outcome {
        let _none_yet = fs::remove_dir_all(self.path("image"));
        for by_hand in ["dd.zst", "pc.zst"] {
            let _none_yet = fs::remove_file(self.path(by_hand));
        }
        run(&mut Command::new("sync"))
    }

    fn target(&self) -> Outcome {
        let target = self.path("target");
        let _none_yet = fs::remove_file(&target);
        fs::File::create(&target)?.set_len(self.size)?;
        run(&mut Command::new("sync"))
    }

    /// A disk without a table, of which every byte is saved, with something only at both ends.
    fn measure_gap(&self, size: u64) -> Outcome {
        let disk = self.path("disk");
        fs::remove_file(&disk)?;
        let file = fs::File::create(&disk)?;
        file.set_len(size)?;
        file.write_all_at(b"before", 0)?;
        file.write_all_at(b"behind", size - 6)?;
        println!("\na gap of {} MiB of zeros", size / MIB);
        println!("{:>17} {:>8} {:>8}", "", "s", "MB/s");
        self.no_images()?;
        for verb in ["backup", "check", "restore"] {
            let target = fs::File::create(self.path("target"))?;
            target.set_len(size)?;
            let (mut way, mut ours) = (Way::default(), self.ours(verb)?);
            way.measure(|| run(&mut ours))?;
            let time = median(&way.times).as_secs_f64();
            println!("{verb:>17} {time:>8.2} {:>8.0}", float(size / 1_000_000) / time);
        }
        Ok(())
    }

    fn measure(&self, held: u64) -> Outcome {
        let new = Way::default;
        let (mut backup, mut dd, mut partclone) = (new(), new(), new());
        let (mut restore, mut dd_back, mut partclone_back) = (new(), new(), new());
        let (mut sums_of_ours, mut sums, mut inside) = (new(), new(), new());
        self.no_images()?;
        self.target()?;
        backup.memory = peak(self.ours("backup")?)?;
        restore.memory = peak(self.ours("restore")?)?;
        inside.memory = peak(self.ours("check")?)?;
        // In turn, so that what else the machine does falls on all of them.
        for _ in 0..RUNS {
            self.no_images()?;
            let mut ours = self.ours("backup")?;
            backup.measure(|| run(&mut ours))?;
            backup.stored = stored(&self.folder.join("image/disk0"))?;
            let save = "dd if=disk bs=1M status=none | zstd -q -T0 -3 -o dd.zst; sync -f dd.zst";
            self.by_hand(save, "disk", &mut dd)?;
            dd.stored = fs::metadata(self.path("dd.zst"))?.len();
            let save = "partclone.extfs -q -L /dev/null -c -s $part -o - 2>/dev/null | zstd -q -T0 -3 -o pc.zst; sync -f pc.zst";
            self.by_hand(save, "disk", &mut partclone)?;
            partclone.stored = fs::metadata(self.path("pc.zst"))?.len();

            self.target()?;
            let mut ours = self.ours("restore")?;
            restore.measure(|| run(&mut ours))?;
            self.target()?;
            let load = "zstd -q -dc dd.zst | dd of=target bs=1M conv=notrunc iflag=fullblock status=none; sync -f target";
            self.by_hand(load, "target", &mut dd_back)?;
            self.target()?;
            let load = "zstd -q -dc pc.zst | partclone.restore -q -L /dev/null -s - -O $part >/dev/null 2>&1; sync -f target";
            self.by_hand(load, "target", &mut partclone_back)?;

            let image = self.folder.join("image/disk0");
            let board = ghost_imaging::board::Board::default();
            sums_of_ours.measure(|| Ok(check::check(&image, Depth::Checksums, &board)?))?;
            let mut sha256sum = Command::new("sha256sum");
            sha256sum.args(["--quiet", "--check", "SHA256SUMS"]).current_dir(&image);
            sums.measure(|| run(&mut sha256sum))?;
            let mut ours = self.ours("check")?;
            inside.measure(|| run(&mut ours))?;
        }
        println!("\nsave");
        table(&[("ghost-imager", &backup), ("partclone | zstd", &partclone), ("dd | zstd", &dd)], held);
        println!("\nrestore, with the check before it skipped");
        table(
            &[("ghost-imager", &restore), ("zstd | partclone", &partclone_back), ("zstd | dd", &dd_back)],
            held,
        );
        println!("\ncheck");
        table(&[("checksums", &sums_of_ours), ("sha256sum", &sums), ("inside too", &inside)], held);
        Ok(())
    }
}

/// One way a row; `x` are the first one's throughput, size, and work done with a second of the processors, as multiples
/// of this row's.
fn table(ways: &[(&str, &Way)], held: u64) {
    println!(
        "{:>17} {:>8} {:>8} {:>13} {:>11} {:>6} {:>10} {:>7} {:>11}",
        "", "s", "MB/s", "x throughput", "processor s", "x", "MiB", "x size", "memory MiB"
    );
    let seconds = |times: &[Duration]| median(times).as_secs_f64();
    let Some((_, ours)) = ways.first() else { return };
    for (name, way) in ways {
        let (time, work) = (seconds(&way.times), seconds(&way.work));
        let [mega, stored, own, memory] = [held / 1_000_000, way.stored, ours.stored, way.memory].map(float);
        let mebi = float(MIB);
        let size = if stored > 0.0 { format!("{:.3}", own / stored) } else { String::new() };
        println!(
            "{name:>17} {time:>8.2} {:>8.0} {:>13.2} {work:>11.2} {:>6.2} {:>10.1} {size:>7} {:>11.0}",
            mega / time,
            time / seconds(&ours.times),
            work / seconds(&ours.work),
            stored / mebi,
            memory / mebi
        );
    }
}

/// As exactly as a table needs it.
fn float(number: u64) -> f64 {
    u32::try_from(number / 1024).map_or(f64::MAX, f64::from) * 1024.0
        + f64::from(u16::try_from(number % 1024).unwrap_or(0))
}

/// The pieces of an image, bytes.
fn stored(image: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(image)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// Runs it to its end; the most memory that it and all it started had together, bytes.
fn peak(mut command: Command) -> Outcome<u64> {
    let (mut child, mut most) = (command.spawn()?, 0);
    loop {
        most = most.max(memory(child.id()));
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(most) } else { Err(format!("ghost-imager: {status}").into()) };
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Of this process, and of all below it that have ended and were waited for.
fn processor_time() -> Outcome<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // utime, stime, cutime and cstime are fields 14 to 17; the name, which may have spaces, ends field 2 (proc(5)).
    let (_, behind_name) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
    let fields = behind_name.split_whitespace().skip(11).take(4);
    let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?)
}

/// Of a process and all below it; those that end meanwhile have none.
fn memory(process: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let own = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let below: u64 = children
        .map(|ids| ids.split_whitespace().filter_map(|id| id.parse().ok()).map(memory).sum::<u64>())
        .sum();
    own.unwrap_or(0) * 1024 + below
}

fn run(command: &mut Command) -> Outcome {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
