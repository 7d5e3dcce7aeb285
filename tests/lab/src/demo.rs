//! The demonstration: in a lab of its own, a test, a backup, and a restore onto the wiped disk, shown as they happen.
//! `IMAGER` in the environment chooses the imager.
//!
//! Each line says who speaks: `ghostctl` to the administrator, john on its serial line, or, after an arrow, the
//! demonstration about what it does and checks.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use ghost_contract::ImagerName;
use ghost_contract::layout;

use crate::config::{LabConfig, repository, target_folder};
use crate::lab::{Lab, Pc};
use crate::magic::Kind;
use crate::running::Running;
use crate::stand_in;
use crate::wait;

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
/// The lines of the console that tell the story; the others are left out.
const STORY: [&str; 4] = ["PXELINUX", "ghost-init", "OWN-DISK", "panic"];
/// After so much silence, and again after as much, the demonstration says what it waits for.
const SILENCE: Duration = Duration::from_secs(15);

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
    let mut story = Story { ghostctl: &ghostctl, pc: john, told: 0, heard: 0, silence: Silence::new() };
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
    Story { ghostctl: &ghostctl, pc: john, told: 0, heard, silence: Silence::new() }.until_ended(IMAGING)?;
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

/// What has been told of the job so far.
struct Story<'lab> {
    ghostctl: &'lab Running,
    pc: Pc<'lab>,
    told: usize,
    heard: usize,
    silence: Silence,
}

/// How long the demonstration has been waiting, and when it last said something.
struct Silence {
    begun: Instant,
    last: Duration,
}

impl Silence {
    fn new() -> Self {
        Self { begun: Instant::now(), last: Duration::ZERO }
    }

    /// The line that breaks a silence which has lasted until `now`, counted from the beginning of the wait.
    fn line(&mut self, now: Duration, spoken: bool, what: &str) -> Option<String> {
        if !spoken && now < self.last + SILENCE {
            return None;
        }
        self.last = now;
        (!spoken).then(|| format!("     ... | waiting for {what}, {} s so far", now.as_secs()))
    }
}

impl Story<'_> {
    /// Tells on until the console is as wanted.
    fn until(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let reached = wait::until(what, deadline, || match self.tell(what) {
            Ok(console) if wanted(&console) => Some(Ok(())),
            Ok(_) if self.ghostctl.has_ended() => Some(Err(anyhow!("ghostctl ended too early"))),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        reached?
    }

    /// Tells on until `ghostctl` has ended.
    fn until_ended(&mut self, deadline: Duration) -> anyhow::Result<()> {
        let what = "ghostctl to end";
        let ended = wait::until(what, deadline, || match (self.ghostctl.has_ended(), self.tell(what)) {
            (_, Err(error)) => Some(Err(error)),
            (true, Ok(_)) => Some(Ok(())),
            (false, Ok(_)) => None,
        });
        ended?
    }

    /// Tells what is new, or now and then what is being waited for, and gives the whole console.
    fn tell(&mut self, what: &str) -> anyhow::Result<String> {
        let lines = self.ghostctl.lines();
        let mut spoken = lines.len() > self.told;
        lines[self.told..].iter().for_each(|line| println!("ghostctl | {line}"));
        self.told = lines.len();
        let console = self.pc.whole_console()?;
        // Only whole lines, and the last one may not be whole yet.
        let whole = console.rfind('\n').map_or(0, |end| end + 1);
        for line in console[..whole].lines().skip(self.heard) {
            self.heard += 1;
            if STORY.iter().any(|words| line.contains(words)) {
                println!("    john | {}", line.trim_end());
                spoken = true;
            }
        }
        if let Some(line) = self.silence.line(self.silence.begun.elapsed(), spoken, what) {
            println!("{line}");
        }
        Ok(console)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_is_broken_now_and_then_and_a_line_begins_it_anew() {
        let mut silence = Silence::new();
        let mut at = |seconds, spoken| silence.line(Duration::from_secs(seconds), spoken, "john");
        assert_eq!(at(14, false), None);
        assert_eq!(at(15, false).unwrap(), "     ... | waiting for john, 15 s so far");
        assert_eq!(at(29, true), None, "a line of the story");
        assert_eq!(at(43, false), None);
        assert_eq!(at(44, false).unwrap(), "     ... | waiting for john, 44 s so far");
    }
}
