//! Asks a person to confirm that a disk may be overwritten, or a generation removed.

#![allow(
    clippy::disallowed_methods,
    reason = "only words of ours, and names that were typed, are in its questions"
)]

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context as _, anyhow};
use ghost_contract::{DiskChoice, HostName};

use crate::exit::{Exit, WithExit};
use crate::job::bytes::bytes;
use crate::job::imager::Wishes;
use crate::site::Site;

/// Has the name of each host typed. The disk is the one of its settings, unless another was asked for.
pub(super) fn ask_for_names(site: &Site, hosts: &[HostName], asked: &Wishes) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return Err(nobody_to_ask("a restore overwrites a disk"));
    }
    hosts.iter().try_for_each(|host| {
        let disk = asked.disk.clone().unwrap_or_else(|| site.ghostrc.for_host(host).disk);
        ask(host, &lost(&disk, &asked.partitions), &mut io::stdin().lock(), &mut io::stderr())
    })
}

/// Whether there is a person who could answer.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a text; Enter stands for the default.
pub(super) fn answer(question: &str, default: &str) -> anyhow::Result<String> {
    let typed =
        read_answer(&format!("{question} [{default}]: "), &mut io::stdin().lock(), &mut io::stderr())?;
    Ok(if typed.is_empty() { default.to_owned() } else { typed })
}

/// Goes on after a yes, which --yes is too.
pub(super) fn agree(yes: bool, question: &str) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(nobody_to_ask("this changes the boot server, and nothing was done"));
    }
    agree_by(question, &mut io::stdin().lock(), &mut io::stderr())
}

fn agree_by(question: &str, answers: &mut impl BufRead, screen: &mut impl Write) -> anyhow::Result<()> {
    let typed = read_answer(&format!("{question} Type yes to go on: "), answers, screen)?;
    if typed == "yes" {
        return Ok(());
    }
    Err(anyhow!("'{typed}' is not 'yes': nothing was done").exit(Exit::Usage))
}

fn read_answer(
    question: &str,
    answers: &mut impl BufRead,
    screen: &mut impl Write,
) -> anyhow::Result<String> {
    let mut typed = String::new();
    write!(screen, "{question}")
        .and_then(|()| screen.flush())
        .and_then(|()| answers.read_line(&mut typed))
        .context("cannot ask for confirmation")
        .exit(Exit::Usage)?;
    Ok(typed.trim().to_owned())
}

fn ask(
    host: &HostName,
    lost: &str,
    answers: &mut impl BufRead,
    screen: &mut impl Write,
) -> anyhow::Result<()> {
    let question = format!("All that is on {lost} of {host} will be lost. Type its name to go on: ");
    require_name(host, &question, answers, screen)
}

/// Has the name of a host typed before something of its generations is removed, which `what` says.
pub(super) fn ask_about_removal(host: &HostName, what: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return Err(nobody_to_ask("a generation would be lost"));
    }
    let question = format!("{what} will be lost. Type {host} to go on: ");
    require_name(host, &question, &mut io::stdin().lock(), &mut io::stderr())
}

fn nobody_to_ask(about: &str) -> anyhow::Error {
    anyhow!("{about}, and there is no terminal to confirm it at: give --yes, or run it at a terminal")
        .exit(Exit::Usage)
}

fn require_name(
    host: &HostName,
    question: &str,
    answers: &mut impl BufRead,
    screen: &mut impl Write,
) -> anyhow::Result<()> {
    let typed = read_answer(question, answers, screen)?;
    if typed == host.as_str() {
        return Ok(());
    }
    Err(anyhow!("'{typed}' is not '{host}': nothing was done").exit(Exit::Usage))
}

/// What a restore overwrites.
fn lost(disk: &DiskChoice, partitions: &BTreeSet<u32>) -> String {
    let numbers: Vec<String> = partitions.iter().map(u32::to_string).collect();
    match &*numbers {
        [] => in_words(disk),
        [number] => format!("partition {number} of {}", in_words(disk)),
        _ => format!("partitions {} of {}", numbers.join(", "), in_words(disk)),
    }
}

fn in_words(disk: &DiskChoice) -> String {
    match disk {
        DiskChoice::First => "the first disk".to_owned(),
        DiskChoice::Name(name) => format!("the disk /dev/{name}"),
        DiskChoice::Serial(number) => format!("the disk with the serial number {number}"),
        DiskChoice::Size(size) => format!("the disk of about {}", bytes(*size)),
        DiskChoice::All => "all disks".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> anyhow::Result<()> {
        ask(&"john".parse().unwrap(), "it", &mut text.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn only_the_hosts_own_name_is_a_yes() {
        assert!(answer("john\n").is_ok());
        for text in ["joe\n", "y\n", "yes\n", "\n", "", "John\n"] {
            let error = answer(text).unwrap_err();
            assert!(error.to_string().ends_with("is not 'john': nothing was done"), "{text:?}: {error}");
            assert_eq!(Exit::of(&error), Exit::Usage, "{text:?}");
        }
    }

    #[test]
    fn only_a_whole_yes_is_one() {
        let typed = |text: &str| agree_by("Go on?", &mut text.as_bytes(), &mut Vec::new());
        assert!(typed(" yes\n").is_ok());
        for text in ["y\n", "no\n", "\n", "", "Yes, please\n"] {
            assert_eq!(Exit::of(&typed(text).unwrap_err()), Exit::Usage, "{text:?}");
        }
    }

    #[test]
    fn the_question_says_what_will_be_lost() {
        for (disk, partitions, lost) in [
            ("first", &[][..], "the first disk"),
            ("first", &[3], "partition 3 of the first disk"),
            ("/dev/sdb", &[2, 3], "partitions 2, 3 of the disk /dev/sdb"),
            ("/dev/sdb", &[], "the disk /dev/sdb"),
            ("serial:S1", &[], "the disk with the serial number S1"),
            ("size:512Gi", &[], "the disk of about 512.0 GiB"),
            ("all", &[], "all disks"),
        ] {
            let mut screen = Vec::new();
            let asked = super::lost(&disk.parse().unwrap(), &partitions.iter().copied().collect());
            ask(&"john".parse().unwrap(), &asked, &mut "john\n".as_bytes(), &mut screen).unwrap();
            let expected = format!("All that is on {lost} of john will be lost. Type its name to go on: ");
            assert_eq!(String::from_utf8(screen).unwrap(), expected);
        }
    }
}
