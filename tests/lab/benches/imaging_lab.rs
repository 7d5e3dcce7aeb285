//! How fast a virtual PC of the lab is backed up to the image store over NFS, and restored: by `ghost-imager`, by the
//! same tools typed by hand, and by Clonezilla's `ocs-sr`, all in one boot, in turn, at the same level of compression.
//!
//! `make bench-lab` builds the base root that this needs, with Clonezilla in it, beside the usual one. `SIZE=512` sets
//! the size of the disk in MiB (4096), `RUNS=1` how often all of it is done (three times), but for Clonezilla's part,
//! which takes as long as all others together and comes once, in the first run; `WAYS=2` leaves out all but the first
//! two of the ways. The disk is made by `tests/disk/make-mixed-disk`; `tests/lab/benches/way` runs on the client and says
//! what a way took there. Processor time is that of the whole PC, the emulation included, as the boot server's kernel
//! counts it.
//!
//! Prints tables; asserts nothing. Medians. Needs root and what `tests/host-packages` lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ghost_lab::config::{SERVER, repository};
use ghost_lab::lab::{Pc, keep_failure};
use ghost_lab::{Lab, LabConfig, shell, stand_in};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const MIB: u64 = 1 << 20;
/// From the power button until one can log in.
const BOOT: Duration = Duration::from_secs(600);
/// How long a way may take.
const WAY: Duration = Duration::from_secs(4 * 3600);
const SOON: Duration = Duration::from_secs(120);
/// Below the base root, on the client.
const WAY_PROGRAM: &str = "root/way";
const CLONEZILLA: &str = "ocs-sr";
/// What a person would answer, and what the others do not do either: no check of the image after and before the work.
const OCS: &str = "ocs-sr -l en_US.UTF-8 -nogui -batch -p true -or /backup";

/// One way to do it.
struct Way {
    name: &'static str,
    stored_in: &'static str,
    save: String,
    saved: Taken,
    restore: String,
    restored: Taken,
}

/// What it took, a value for each run.
#[derive(Default)]
struct Taken {
    seconds: Vec<f64>,
    /// Of the processors of the boot server.
    processor: Vec<f64>,
    /// KiB of the client, the most.
    memory: Vec<f64>,
    /// Bytes, the same in every run.
    stored: u64,
}

fn ways() -> [Way; 4] {
    let way = |name, stored_in, save: &str, restore: &str| {
        let at = |text: &str| text.replace("IMAGE", &format!("/backup/{stored_in}"));
        let (saved, restored) = (Taken::default(), Taken::default());
        Way { name, stored_in, save: at(save), saved, restore: at(restore), restored }
    };
    [
        way(
            "ghost-imager",
            "ours",
            "ghost-imager backup --image IMAGE --disk /dev/sda",
            "ghost-imager restore --image IMAGE --settings /root/settings --disk /dev/sda",
        ),
        way(
            "partclone | zstd",
            "partclone.zst",
            "partclone.extfs -q -L /dev/null -c -s /dev/sda1 -o - | zstd -q -T0 -3 -o IMAGE; sync -f IMAGE",
            "zstd -q -dc IMAGE | partclone.restore -q -L /dev/null -s - -O /dev/sda1; sync /dev/sda1",
        ),
        way(
            "dd | zstd",
            "dd.zst",
            "dd if=/dev/sda bs=1M status=none | zstd -q -T0 -3 -o IMAGE; sync -f IMAGE",
            "zstd -q -dc IMAGE | dd of=/dev/sda bs=1M iflag=fullblock conv=fsync status=none",
        ),
        way(
            CLONEZILLA,
            "clonezilla",
            &format!("{OCS} -q2 -z9p -scs -senc -sfsck savedisk clonezilla sda; sync -f /backup"),
            &format!("{OCS} -scr restoredisk clonezilla sda; sync /dev/sda"),
        ),
    ]
}

/// What a variable of the environment says.
fn number_of(key: &str) -> Option<u32> {
    std::env::var(key).ok()?.parse().ok()
}

fn main() -> Outcome {
    let (megabytes, runs) = (number_of("SIZE").unwrap_or(4096), number_of("RUNS").unwrap_or(3));
    let mut config = LabConfig::new("bench".parse()?);
    for (key, value) in [("SLEEP", "2d"), ("JOB_DEADLINE", "3d")] {
        config.ghostrc.insert(key.to_owned(), value.to_owned());
    }
    let lab = Lab::up(config, Path::new(env!("CARGO_BIN_EXE_lab")))?;
    let measured = measure(&lab, megabytes, runs);
    if measured.is_err() {
        eprintln!("the lab's logs and screens are kept in {}", keep_failure(&lab)?.display());
    }
    lab.down()?;
    measured
}

fn measure(lab: &Lab, megabytes: u32, runs: u32) -> Outcome {
    let john = lab.pc("john")?;
    let make_disk = repository().join("tests/disk/make-mixed-disk");
    shell::run(Command::new(make_disk).arg(stand_in::disk(lab, &john)).arg(megabytes.to_string()))?;
    let root = lab.folder().base_root();
    fs::copy(repository().join("tests/lab/benches/way"), root.join(WAY_PROGRAM))?;
    fs::write(root.join("root/settings"), "{\"restore_check\": \"skip\"}")?;

    let job = lab.ghostctl(&["test", "john"])?;
    john.wait_on(SOON)?;
    john.wait_console("root can log in by ssh", BOOT)?;
    let store = lab.folder().image_store();
    // A test leaves disk and store alone.
    let disk = "modprobe -a ata_piix sd_mod && until [ -b /dev/sda1 ]; do sleep 1; done".to_owned();
    let mount = format!(
        "mountpoint -q /backup || mount -i -t nfs -o vers=3,nolock,proto=tcp,addr={SERVER} {SERVER}:{} /backup",
        store.display()
    );
    for command in [disk, mount] {
        on_client(lab, &john, &command, SOON)?;
    }
    let held = u64::from(megabytes) * MIB * 3 / 8;
    println!("a disk of {megabytes} MiB with {} MiB of files; runs: {runs}", held / MIB);
    let most = usize::try_from(number_of("WAYS").unwrap_or(u32::MAX))?;
    let mut ways: Vec<Way> = ways().into_iter().take(most.max(1)).collect();
    // In turn, so that what else the boot server does falls on all of them, and another one first every time.
    for number in 0..runs {
        let comes = |way: &&mut Way| number == 0 || way.name != CLONEZILLA;
        for way in ways.iter_mut().filter(comes) {
            on_client(lab, &john, &format!("rm -rf /backup/{}", way.stored_in), SOON)?;
            run(lab, &john, &format!("save, {}", way.name), &way.save, &mut way.saved)?;
            way.saved.stored = size(&store.join(way.stored_in))?;
        }
        for way in ways.iter_mut().filter(comes) {
            run(lab, &john, &format!("restore, {}", way.name), &way.restore, &mut way.restored)?;
        }
        ways.rotate_left(1);
    }
    let turned = usize::try_from(runs)? % ways.len();
    ways.rotate_right(turned);
    println!("\nsave");
    table(&ways, |way| &way.saved, held);
    println!("\nrestore, no check before it");
    table(&ways, |way| &way.restored, held);
    // The machine may go off before ssh has its answer.
    let _kill = lab.ssh(john.config().ip, "pkill -x sleep")?;
    job.wait(SOON)?;
    Ok(())
}

/// Does it on the client, and adds what it took.
fn run(lab: &Lab, pc: &Pc<'_>, what: &str, command: &str, taken: &mut Taken) -> Outcome {
    let before = processor_seconds(lab, pc)?;
    let said = on_client(lab, pc, &format!("sh /{WAY_PROGRAM} '{command}'"), WAY)?;
    let last = said.lines().find_map(|line| line.strip_prefix("took "));
    let numbers = last.ok_or_else(|| format!("{what}: {said}"))?.split(' ').map(str::parse::<f64>);
    let [seconds, memory] = numbers.collect::<Result<Vec<_>, _>>()?[..] else {
        return Err(said.into());
    };
    let processor = processor_seconds(lab, pc)? - before;
    println!("{what}: {seconds:.0} s, {processor:.0} s of a processor");
    taken.seconds.push(seconds);
    taken.processor.push(processor);
    taken.memory.push(memory);
    Ok(())
}

/// Runs a command on a PC and gives what it said; that it fails is an error.
fn on_client(lab: &Lab, pc: &Pc<'_>, command: &str, deadline: Duration) -> Outcome<String> {
    let running = lab.ssh(pc.config().ip, command)?;
    match running.wait(deadline)? {
        0 => Ok(running.text()),
        status => Err(format!("{command}: exit status {status}: {}", running.text()).into()),
    }
}

/// What QEMU has had of the boot server's processors for this PC, seconds.
fn processor_seconds(lab: &Lab, pc: &Pc<'_>) -> Outcome<f64> {
    let folder = lab.folder().pc(&pc.config().name);
    let process = fs::read_dir("/proc")?.flatten().map(|entry| entry.path()).find(|process| {
        let is_qemu = |exe: PathBuf| exe.to_string_lossy().contains("qemu-system");
        fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)
            && fs::read_link(process.join("exe")).is_ok_and(is_qemu)
    });
    let stat = fs::read_to_string(process.ok_or("the PC is off")?.join("stat"))?;
    // utime and stime are fields 14 and 15; the name, which may have spaces, ends field 2 (proc(5)).
    let (_, behind_name) = stat.rsplit_once(')').ok_or("no name in /proc/…/stat")?;
    let ticks = behind_name.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
    let ticks = ticks.sum::<Result<u32, _>>()?;
    Ok(f64::from(ticks) / f64::from(u32::try_from(rustix::param::clock_ticks_per_second())?))
}

/// Bytes of a file, or of all files in a folder.
fn size(path: &Path) -> Outcome<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + size(&entry?.path())?))
}

/// One way a row; `x` are the first one's throughput, work done with a second of the processors, and size, as
/// multiples of this row's.
fn table(ways: &[Way], taken: impl Fn(&Way) -> &Taken, held: u64) {
    println!(
        "{:>17} {:>8} {:>8} {:>13} {:>12} {:>6} {:>10} {:>7} {:>11}",
        "", "s", "MB/s", "x throughput", "processor s", "x", "MiB", "x size", "memory MiB"
    );
    let Some(ours) = ways.first().map(&taken) else { return };
    for (way, taken) in ways.iter().map(|way| (way, taken(way))) {
        let (time, processor) = (median(&taken.seconds), median(&taken.processor));
        let [held, stored, own] = [held, taken.stored, ours.stored].map(mebibytes);
        let ratio = if stored > 0.0 { format!("{:.3}", own / stored) } else { String::new() };
        println!(
            "{:>17} {time:>8.1} {:>8.1} {:>13.2} {processor:>12.1} {:>6.2} {stored:>10.1} {ratio:>7} {:>11.0}",
            way.name,
            held * 1.048_576 / time,
            time / median(&ours.seconds),
            processor / median(&ours.processor),
            median(&taken.memory) / 1024.0
        );
    }
}

/// As exactly as a table needs it.
fn mebibytes(bytes: u64) -> f64 {
    u32::try_from(bytes / 1024).map_or(f64::MAX, f64::from) / 1024.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
