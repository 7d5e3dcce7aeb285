//! How long the edit of dhcpd.conf takes, against `cp` and fsync of the same file and against the HOWTO's way
//! (`sed` into a copy, `mv`), in the same run and the same folder.
//!
//! Prints a table; asserts nothing. Ours is read, table, swap, write beside, fsync, rename; `pure` is the part
//! of it between reading and writing. Medians, in milliseconds, and what the pure part takes for each host: that is the
//! same for any number of hosts if growth is linear.
//!
//! A second table is about `ghostctl hosts`: reading a configuration, and then looking up every host of it, sound ones and
//! ones that each lack something. `all/read` is how often the time of reading the whole takes; it is to be at most 3, and the
//! same for any number of hosts.
//!
//! Time tells little on a machine that does other things as well. Given a number of hosts, this makes one pure swap and one
//! pure revert and nothing else, so that a counter of instructions can tell: docs/benches.md.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ghost_contract::HostName;
use ghostctl::dhcp::isc::HostTable;
use ghostctl::dhcp::{Configuration, Swap, Wanted, isc};

const BOOT: &str = "pxelinux.0";
const RUNS: usize = 15;

/// One host's swap, and the file after it.
struct Swapped {
    swapped: [(HostName, Swap); 1],
    contents: Vec<u8>,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    // cargo passes flags of its own.
    match std::env::args().find_map(|argument| argument.parse().ok()) {
        Some(hosts) => once(hosts),
        None => table().and_then(|()| look_ups()),
    }
}

/// Reads configurations, and looks up every host.
fn look_ups() -> Outcome {
    println!("\n{:>8} {:>12} {:>9} {:>9} {:>9} {:>9}", "hosts", "", "bytes", "read", "look up", "all/read");
    for hosts in [10_000_u32, 100_000] {
        let sound = configuration(hosts);
        let lacking = format!("filename \"inherited\";\n{}", sound.replace("filename \"nobackup\";", ""));
        for (what, text) in [("sound", sound), ("without file", lacking)] {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            let file = folder.path().join("dhcpd.conf");
            fs::write(&file, text)?;
            let bytes = median(|| fs::read(&file).map(|bytes| drop(black_box(bytes))).map_err(Into::into))?;
            let reading = median(|| read(&file).map(|table| drop(black_box(table))))?;
            let all = median(|| read(&file).map(|hosts| drop(black_box(hosts.list()))))?;
            println!(
                "{hosts:>8} {what:>12} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                millis(bytes),
                millis(reading),
                millis(all.saturating_sub(reading)),
                all.as_secs_f64() / reading.as_secs_f64(),
            );
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Box<dyn Configuration>, Box<dyn std::error::Error>> {
    Ok(Box::new(HostTable::read(file, fs::read(file)?, &mut |_| Err(io::ErrorKind::NotFound.into()))?))
}

/// Once through the pure part of both edits.
fn once(hosts: u32) -> Outcome {
    let file = Path::new("dhcpd.conf");
    let swap = swapped_from(file, configuration(hosts).into_bytes(), &middle(hosts)?)?;
    black_box(isc::revert(file, &swap.contents, &swap.swapped).contents.ok_or("nothing was reverted")?);
    Ok(())
}

fn middle(hosts: u32) -> Result<HostName, Box<dyn std::error::Error>> {
    Ok(format!("pc-{}", hosts / 2).parse()?)
}

fn table() -> Outcome {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!(
        "{:>8} {:>9} {:>10} {:>9} {:>9} {:>9} {:>11} {:>10}",
        "hosts", "pure", "us a host", "swap", "revert", "cp+fsync", "sed+mv", "swap/sed"
    );
    for hosts in [100_u32, 10_000, 100_000] {
        let file = folder.path().join("dhcpd.conf");
        fs::write(&file, configuration(hosts))?;
        let host = middle(hosts)?;
        let pure = median(|| swapped(&file, &host).map(|swap| drop(black_box(swap))))?;
        let swap = median(|| replace(&file, &swapped(&file, &host)?.contents))?;
        let swap_of_it = swapped_from(&file, configuration(hosts).into_bytes(), &host)?;
        let revert = median(|| reverted(&file, &swap_of_it))?;
        let copy = median(|| copied(&file))?;
        let sed = median(|| sed_and_mv(&file, &host))?;
        println!(
            "{hosts:>8} {:>9.2} {:>10.3} {:>9.2} {:>9.2} {:>9.2} {:>11.2} {:>10.2}",
            millis(pure),
            millis(pure) * 1e3 / f64::from(hosts),
            millis(swap),
            millis(revert),
            millis(copy),
            millis(sed),
            swap.as_secs_f64() / sed.as_secs_f64(),
        );
    }
    Ok(())
}

fn configuration(hosts: u32) -> String {
    let mut text =
        String::from("default-lease-time 600; # all of them\nsubnet 10.0.0.0 netmask 255.0.0.0 { }\n");
    for number in 0..hosts {
        let (high, middle, low) = (number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff);
        let _written = write!(
            text,
            "host pc-{number} {{\n  # room {low}\n  hardware ethernet 02:00:00:{high:02X}:{middle:02x}:{low:x};\n  \
             fixed-address 10.{high}.{middle}.{low};\n  filename \"nobackup\";\n}}\n"
        );
    }
    text
}

fn swapped(file: &Path, host: &HostName) -> Result<Swapped, Box<dyn std::error::Error>> {
    swapped_from(file, fs::read(file)?, host)
}

fn swapped_from(file: &Path, bytes: Vec<u8>, host: &HostName) -> Result<Swapped, Box<dyn std::error::Error>> {
    let table = HostTable::read(file, bytes, &mut |_| Err(io::ErrorKind::NotFound.into()))?;
    let edit = isc::swap(&table, &[Wanted { host: host.clone(), boot_file: BOOT.to_owned() }]);
    let swap = edit.swaps.into_iter().next().ok_or("nothing was swapped")??;
    let contents = edit.changes.into_iter().next().ok_or("nothing was changed")?.contents;
    Ok(Swapped { swapped: [(host.clone(), swap)], contents })
}

fn reverted(file: &Path, swap: &Swapped) -> Outcome {
    replace(file, &isc::revert(file, &swap.contents, &swap.swapped).contents.ok_or("nothing was reverted")?)
}

fn replace(file: &Path, contents: &[u8]) -> Outcome {
    let beside = file.with_extension("new");
    let mut new = File::create(&beside)?;
    new.write_all(contents)?;
    new.sync_all()?;
    fs::rename(&beside, file.with_extension("changed"))?;
    Ok(())
}

fn copied(file: &Path) -> Outcome {
    let copy = file.with_extension("copy");
    run(Command::new("cp").arg(file).arg(&copy))?;
    Ok(File::open(&copy)?.sync_all()?)
}

fn sed_and_mv(file: &Path, host: &HostName) -> Outcome {
    let copy = file.with_extension("sed");
    let script = format!("/host {host} /,/}}/s/nobackup/{BOOT}/");
    run(Command::new("sed").arg(script).arg(file).stdout(File::create(&copy)?))?;
    run(Command::new("mv").arg(&copy).arg(file.with_extension("changed")))
}

fn run(command: &mut Command) -> Outcome {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn median(mut work: impl FnMut() -> Outcome) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[RUNS / 2])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
