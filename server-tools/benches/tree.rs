//! How long it takes to make a client's tree, against `cp -a` of the same two folders, in the same run and on
//! the same file system.
//!
//! The base root's `etc` and `var` are copies of those in `target/rootfs/base`; where none has been built they
//! are generated, about as large as those of a Debian root with its package lists. `first` makes a tree where
//! none was, `again` where one was, with the removal of the old one, as for every further job. A tree is on the
//! disk when it is done, what `cp -a` wrote is not: `cp+sync` is the copy with `sync -f` after it.
//!
//! Prints two tables; asserts nothing. Medians, in milliseconds.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ghost_contract::{Mode, sample};
use ghostctl::tree::{Contents, Tree};

const RUNS: usize = 9;
const FOLDERS: [&str; 2] = ["etc", "var"];

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let base = folder.path().join("base");
    fs::create_dir(&base)?;
    println!("etc and var: {}", base_root(&base)?);

    let order = sample::order(Mode::Test);
    let contents = Contents { order: &order, luks_key: None, host_table: "00:e0:7d:c9:1a:2b john\n" };
    let tree = Tree::of(&base, [192, 168, 7, 2].into());
    let (mut first, mut again, mut copy, mut synced) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let copied = folder.path().join("copy");
    // In turn, so that what else the machine does falls on all of them.
    for _ in 0..RUNS {
        first.push(time(|| Ok(tree.make(&contents)?))?);
        again.push(time(|| Ok(tree.make(&contents)?))?);
        copy.push(time(|| cp(&base, &copied))?);
        fs::remove_dir_all(&copied)?;
        synced.push(time(|| cp(&base, &copied).and_then(|()| sync(&copied)))?);
        fs::remove_dir_all(&copied)?;
        remove(&tree)?;
    }
    report(&[("first", first), ("again", again), ("cp -a", copy), ("cp+sync", synced)]);

    tree.make(&contents)?;
    let ours = size(&[tree.etc(), tree.var()])?;
    let theirs = size(&FOLDERS.map(|name| base.join(name)))?;
    println!("\n{:>8} {:>9} {:>12}", "", "entries", "bytes");
    println!("{:>8} {:>9} {:>12}", "tree", ours.entries, ours.bytes);
    println!("{:>8} {:>9} {:>12}", "cp -a", theirs.entries, theirs.bytes);
    Ok(())
}

fn report(rows: &[(&str, Vec<Duration>)]) {
    let millis = |name: &str| {
        let times = rows.iter().find(|(row, _)| *row == name).map(|(_, times)| times.clone());
        median(times.unwrap_or_default()).as_secs_f64() * 1e3
    };
    println!("{:>8} {:>9} {:>11} {:>13}", "", "ms", "x cp -a", "x cp+sync");
    for (name, _) in rows {
        let own = millis(name);
        println!("{name:>8} {own:>9.1} {:>11.2} {:>13.2}", own / millis("cp -a"), own / millis("cp+sync"));
    }
}

/// Puts an `etc` and a `var` below this folder, and says where they are from.
fn base_root(base: &Path) -> Outcome<String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/rootfs/base");
    if FOLDERS.iter().all(|name| built.join(name).is_dir()) {
        cp(&built, base)?;
        return Ok("of the base root that was built here".to_owned());
    }
    generate(base)?;
    Ok("generated, since target/rootfs/base has none".to_owned())
}

/// Folder, number of files and size of the smallest; the largest are eight times as large.
const GENERATED: [(&str, usize, usize); 7] = [
    ("etc", 60, 400),
    ("etc/default", 40, 200),
    ("etc/pam.d", 120, 900),
    ("var/lib/dpkg/info", 1_500, 1_500),
    ("var/lib/dpkg", 8, 60_000),
    ("var/lib/apt/lists", 12, 1_200_000),
    ("var/cache/apt/archives", 260, 30_000),
];

fn generate(base: &Path) -> Outcome {
    for (name, files, smallest) in GENERATED {
        let folder = base.join(name);
        fs::create_dir_all(&folder)?;
        for number in 0..files {
            let mut text = String::new();
            while text.len() < smallest * (1 + number % 8) {
                let _written = writeln!(text, "{name} {number} {}", text.len());
            }
            fs::write(folder.join(format!("file-{number}")), text)?;
        }
    }
    Ok(())
}

/// What a folder holds, itself included.
#[derive(Default)]
struct Size {
    entries: u64,
    bytes: u64,
}

fn size(folders: &[PathBuf]) -> io::Result<Size> {
    let mut size = Size::default();
    let mut left = folders.to_vec();
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        size.entries += 1;
        if metadata.is_file() {
            size.bytes += metadata.len();
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(size)
}

fn remove(tree: &Tree) -> io::Result<()> {
    fs::remove_dir_all(tree.etc())?;
    fs::remove_dir_all(tree.var())
}

fn cp(from: &Path, to: &Path) -> Outcome {
    fs::create_dir_all(to)?;
    run(Command::new("cp").arg("-a").args(FOLDERS.map(|name| from.join(name))).arg(to))
}

fn sync(folder: &Path) -> Outcome {
    run(Command::new("sync").arg("-f").arg(folder))
}

fn run(command: &mut Command) -> Outcome {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}

fn time(work: impl FnOnce() -> Outcome) -> Outcome<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
