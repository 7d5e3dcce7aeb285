//! The demonstration: in a lab of its own, a test, a backup, and a restore onto the wiped disk, shown as they happen.
//! `IMAGER` in the environment chooses the imager.
//!
//! Each line says who speaks: `ghostctl` to the administrator, john on its serial line, or, after an arrow, the
//! demonstration about what it does and checks.

mod story;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ghost_contract::ImagerName;
use ghost_contract::layout;

use crate::config::{LabConfig, repository, target_folder};
use crate::lab::{Lab, Pc};
use crate::magic::Kind;
use crate::stand_in;

use self::story::Story;

/// The PC of the demonstration.
const PC: &str = "john";
/// How long john may take from off to `sleep`, and from there to off.
const BOOT: Duration = Duration::from_secs(600);
const OFF: Duration = Duration::from_secs(120);
/// How long a backup or a restore may take.
const IMAGING: Duration = Duration::from_secs(1500);
/// Size of john's disk in MiB.
const DISK_SIZE: u32 = 64;
/// How long an ssh session may take.
const SESSION: Duration = Duration::from_secs(60);
/// What john says when one can log in, and from then on it waits for the administrator.
const READY: &str = "root can log in by ssh";

/// Shows the job. `program` is the program `lab`.
pub fn run(program: &Path) -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the demonstration needs root, for networks and mounts of its own");
    }
    let begun = Instant::now();
    let imager = imager()?;
    let mut config = LabConfig::new("demo".parse()?);
    config.ghostrc.insert("IMAGER".to_owned(), imager.to_string());
    let lab = Lab::up(config, program)?;
    arrow(&format!(
        "the lab is up after {} s: dhcpd, tftpd, an NFS server, and four PCs that are off",
        begun.elapsed().as_secs()
    ));
    let shown = show_test(&lab).and_then(|picture| Ok(vec![picture, show_imaging(&lab, imager)?]));
    if shown.is_err() {
        match crate::lab::keep_failure(&lab) {
            Ok(kept) => arrow(&format!("the lab's logs and screens are kept in {}", kept.display())),
            Err(error) => arrow(&format!("the lab's logs and screens cannot be kept: {error:#}")),
        }
    }
    let left = match (shown, lab.down()) {
        (Err(error), Err(left)) => return Err(error.context(format!("the lab cannot be ended: {left:#}"))),
        (shown, down) => down.and(shown)?,
    };
    arrow("the lab is gone; these pictures stay (`make clean` removes them and everything that was built):");
    left.iter().for_each(|path| arrow(&format!("  {}", path.display())));
    Ok(())
}

/// Gives the picture of john's screen.
fn show_test(lab: &Lab) -> anyhow::Result<PathBuf> {
    let john = lab.pc(PC)?;
    let (conf, disk) = (lab.dhcpd_conf()?, john.disk_sha256()?);
    arrow("# ghostctl test john");
    let ghostctl = lab.ghostctl(&["test", PC])?;
    let mut story = Story::new(&ghostctl, john, 0);
    story.until("john to be ready", BOOT, |console| console.contains(READY))?;

    if lab.dhcpd_conf()? != conf {
        bail!("john is up, and dhcpd.conf is not what it was");
    }
    arrow("dhcpd.conf is what it was before, byte for byte, while john still runs");
    let picture = picture(&john)?;
    let ip = john.config().ip;
    session(lab, ip, "uname -r; hostname; cat /proc/1/comm; ls -d /*etc /*var")?;
    arrow("# ssh john pkill sleep");
    // The machine may go off before ssh has its answer.
    let _kill = lab.ssh(ip, "pkill -x sleep")?;
    story.until_ended(OFF)?;

    let code = ghostctl.wait(OFF)?;
    arrow(&format!("ghostctl's exit code: {code}"));
    if code != 0 {
        bail!("the job did not succeed");
    }
    john.wait_off(OFF)?;
    if john.disk_sha256()? != disk {
        bail!("john's disk is not what it was");
    }
    let wakes = john.status()?.wakes;
    let count = |kind| wakes.iter().filter(|wake| wake.kind == kind).count();
    arrow(&format!(
        "john is off, woken by one of {} raw and {} UDP magic packets, and its disk is what it was",
        count(Kind::Raw),
        count(Kind::Udp)
    ));
    Ok(picture)
}

/// The imager that is shown.
fn imager() -> anyhow::Result<ImagerName> {
    let Ok(named) = std::env::var("IMAGER") else { return Ok(ImagerName::Linux) };
    // DOSEmu is not in Debian, so there is nothing to show it with.
    let shown = ImagerName::parse(&named).filter(|imager| *imager != ImagerName::Dosemu);
    shown.with_context(|| format!("IMAGER is '{named}', which cannot be shown; linux and dosbox-x can"))
}

/// Gives the folder of the generation's screens.
fn show_imaging(lab: &Lab, imager: ImagerName) -> anyhow::Result<PathBuf> {
    let john = lab.pc(PC)?;
    let how = match imager.emulator() {
        None => {
            stand_in::fill_disk(lab, &john, DISK_SIZE)?;
            "the Linux imager".to_owned()
        }
        Some(_) => {
            stand_in::set_up(lab, &john, DISK_SIZE)?;
            format!("a stand-in for GHOST.EXE under {imager}")
        }
    };
    let disk = john.disk_sha256()?;
    arrow(&format!("john has a disk of {DISK_SIZE} MiB with an NTFS and a FAT32 partition full of files"));
    arrow(&format!("# ghostctl backup john      ({how})"));
    show_job(lab, &["backup", PC])?;
    if john.disk_sha256()? != disk {
        bail!("john's disk is not what it was");
    }
    arrow("john is off; its disk and dhcpd.conf are what they were before");
    arrow("# ghostctl images list");
    let images = lab.ghostctl(&["images", "list"])?;
    images.wait(SESSION)?;
    images.lines().iter().for_each(|line| println!("ghostctl | {line}"));
    let screens = keep_screens(lab)?;

    let path = stand_in::disk(lab, &john);
    let wiped = std::fs::File::create(&path).and_then(|file| file.set_len(u64::from(DISK_SIZE) << 20));
    wiped.with_context(|| format!("cannot wipe {}", path.display()))?;
    arrow("john's disk is wiped: every byte of it is zero now");
    arrow("# ghostctl restore --yes john");
    show_job(lab, &["restore", "--yes", PC])?;
    if john.disk_sha256()? != disk {
        bail!("john's disk is not what it was before it was wiped");
    }
    arrow("john is off, and every byte of its disk is what it was before");
    Ok(screens)
}

/// Tells of a job to its good end.
fn show_job(lab: &Lab, words: &[&str]) -> anyhow::Result<()> {
    let john = lab.pc(PC)?;
    let conf = lab.dhcpd_conf()?;
    let ghostctl = lab.ghostctl(words)?;
    let heard = john.whole_console()?.lines().count();
    Story::new(&ghostctl, john, heard).until_ended(IMAGING)?;
    if ghostctl.wait(OFF)? != 0 {
        bail!("the job did not succeed");
    }
    lab.pc(PC)?.wait_off(OFF)?;
    if lab.dhcpd_conf()? != conf {
        bail!("dhcpd.conf is not what it was");
    }
    Ok(())
}

/// Copies the screenshots of the generation to where they can be looked at when the lab is gone.
fn keep_screens(lab: &Lab) -> anyhow::Result<PathBuf> {
    let store = lab.folder().image_store().join(PC);
    let cannot = || format!("cannot look into {}", store.display());
    let kept = target_folder().join("demo/screens");
    std::fs::create_dir_all(&kept).with_context(|| format!("cannot make {}", kept.display()))?;
    for generation in std::fs::read_dir(&store).with_context(cannot)? {
        let screens = generation.with_context(cannot)?.path().join(layout::SCREENS);
        for screen in std::fs::read_dir(&screens).with_context(cannot)? {
            let screen = screen.with_context(cannot)?;
            std::fs::copy(screen.path(), kept.join(screen.file_name())).with_context(cannot)?;
        }
    }
    let shown = kept.strip_prefix(repository()).unwrap_or(&kept);
    arrow(&format!("screenshots of john during the backup are in {}", shown.display()));
    Ok(kept)
}

fn picture(pc: &Pc<'_>) -> anyhow::Result<PathBuf> {
    let folder = target_folder().join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join("john.png");
    pc.screendump(&file)?;
    let shown = file.strip_prefix(repository()).unwrap_or(&file);
    arrow(&format!("a picture of john's screen is in {}", shown.display()));
    Ok(file)
}

fn session(lab: &Lab, ip: Ipv4Addr, command: &str) -> anyhow::Result<()> {
    arrow(&format!("# ssh john '{command}'"));
    let session = lab.ssh(ip, command)?;
    session.wait(SESSION)?;
    session.lines().iter().for_each(|line| println!("     ssh | {line}"));
    Ok(())
}

fn arrow(words: &str) {
    println!("---> {words}");
}
