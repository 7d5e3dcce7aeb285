//! Makes the manual pages and the shells' completions from the definitions that the program itself uses. Only the
//! examples and the references to other pages are written by hand.
//!
//! ```text
//! share/man/man8/ghostctl.8, ghostctl-images-list.8, …   from the command line's definition
//! share/man/man5/ghostrc.5                               from the table of keys
//! share/doc/ghost4linux-server/examples/ghostrc          the same
//! share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
//! ```

mod example;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::completion;
use crate::ghostrc::reference::{KEYS, Key, Scope};
use clap::Command;
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

/// Programs for the administrator (man-pages(7)).
const PROGRAMS: &str = "8";
const FORMATS: &str = "5";
const NAME: &str = "ghostctl";
const EXAMPLE: &str = "doc/ghost4linux-server/examples/ghostrc";

/// Where each shell looks for completions below `share`, and under which name.
const COMPLETIONS: [(&dyn EnvCompleter, &str); 3] = [
    (&Bash, "bash-completion/completions/ghostctl"),
    (&Zsh, "zsh/site-functions/_ghostctl"),
    (&Fish, "fish/vendor_completions.d/ghostctl.fish"),
];

/// Writes everything below a folder that stands for `share`.
pub(crate) fn write_all(command: Command, share: &Path) -> anyhow::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    write_pages(&command, &share.join("man/man8"))?;
    write(&share.join("man/man5/ghostrc.5"), &mut |out| ghostrc().to_writer(out))?;
    write(&share.join(EXAMPLE), &mut |out| out.write_all(example::text().as_bytes()))?;
    for (shell, path) in COMPLETIONS {
        let script = completion::script(shell).context("cannot make a shell's completions")?;
        write(&share.join(path), &mut |out| out.write_all(&script))?;
    }
    Ok(())
}

/// The page of a command and those of the commands below it, each under its whole name. The command must be built, so
/// that it knows what it is called.
fn write_pages(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let name = command.get_display_name().unwrap_or(NAME);
    let page = Man::new(command.clone()).section(PROGRAMS).manual("Ghost4Linux");
    write(&folder.join(format!("{name}.{PROGRAMS}")), &mut |out| page.render(out))?;
    let mut below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below.try_for_each(|below| write_pages(below, folder))
}

fn write(path: &Path, content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| File::create(path))
        .and_then(|mut file| content(&mut file))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn ghostrc() -> Roff {
    let mut page = Roff::new();
    page.control("TH", ["ghostrc", FORMATS, "", "", "Ghost4Linux"]);
    section(&mut page, "NAME", &["ghostrc - settings of the boot server of Ghost4Linux"]);
    section(&mut page, "SYNOPSIS", &[crate::ghostrc::PATH]);
    section(
        &mut page,
        "DESCRIPTION",
        &[
            "The file has one KEY=VALUE a line, as a shell would read it: with comments, quotes, export, and $NAME or ${NAME} \
             of keys that are set above. It is read and never executed: anything else is an error that is shown with \
             line and column. Keys that ghostctl does not know are left alone, so that other scripts can have theirs.",
            "Times are whole seconds, or a number with s, m, h or d.",
        ],
    );
    keys(&mut page, "KEYS THAT MUST BE SET", &|key| key.scope == Scope::Server && key.default.is_none());
    keys(&mut page, "OTHER KEYS", &|key| key.scope == Scope::Server && key.default.is_some());
    keys(&mut page, "KEYS THAT A HOST CAN HAVE FOR ITSELF", &|key| key.scope == Scope::Host);
    page.text([
        roman("For the host john alone, append its name: "),
        bold("UP_DEADLINE_john=20m"),
        roman("."),
    ]);
    page.text([roman("Characters of the name that are neither letter nor digit become '_'.")]);
    section(
        &mut page,
        "GROUPS",
        &[
            "GROUP_lab1='john joe pc*' is a group of hosts, for ghostctl backup --group lab1: host names, and patterns in which \
             * stands for any characters, ? for one, and [1-4] for one of these.",
        ],
    );
    section(
        &mut page,
        "EXAMPLE",
        &[
            "PXEADDR=192.168.7.1",
            "PXEBASE=/tftpboot/root",
            "GHSTBASE=/tftpboot/backup",
            "GHSTNFS=\"$PXEADDR:$GHSTBASE\"",
            "DHCPD=/etc/init.d/dhcpd",
        ],
    );
    section(&mut page, "SEE ALSO", &["ghostctl(8), dhcpd.conf(5)"]);
    page
}

fn section(page: &mut Roff, title: &str, paragraphs: &[&str]) {
    page.control("SH", [title]);
    for paragraph in paragraphs {
        page.text([roman(*paragraph)]).control("PP", []);
    }
}

fn keys(page: &mut Roff, title: &str, wanted: &dyn Fn(&Key) -> bool) {
    page.control("SH", [title]);
    for key in KEYS.iter().filter(|key| wanted(key)) {
        page.control("TP", []);
        page.text([bold(key.name), roman("="), italic(key.value)]);
        let default = key.default.filter(|default| !default.is_empty());
        let default = default.map_or_else(String::new, |default| format!(" Default: {default}"));
        page.text([roman(format!("{}.{default}", key.meaning))]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn written() -> tempfile::TempDir {
        let share = tempfile::tempdir().unwrap();
        write_all(crate::cli::Cli::command(), share.path()).unwrap();
        share
    }

    fn page(share: &tempfile::TempDir, path: &str) -> String {
        fs::read_to_string(share.path().join(path)).unwrap()
    }

    #[test]
    fn every_verb_has_a_page_and_hidden_ones_have_none() {
        let share = written();
        for name in
            ["ghostctl", "ghostctl-test", "ghostctl-images", "ghostctl-images-prune", "ghostctl-doctor"]
        {
            assert!(page(&share, &format!("man/man8/{name}.8")).contains(".SH NAME"), "{name}");
        }
        assert!(!share.path().join("man/man8/ghostctl-generate-manual.8").exists());
        assert!(page(&share, "man/man8/ghostctl-images-prune.8").contains("ghostctl images prune"));
    }

    #[test]
    fn every_key_is_in_the_manual() {
        let page = page(&written(), "man/man5/ghostrc.5");
        for key in KEYS {
            assert!(page.contains(&format!("\\fB{}\\fR", key.name)), "{}", key.name);
        }
    }

    #[test]
    fn each_shells_script_asks_the_program() {
        let share = written();
        for (shell, path) in COMPLETIONS {
            let (script, shell) = (page(&share, path), shell.name());
            assert!(script.contains("GHOSTCTL_COMPLETE") && script.contains("ghostctl"), "{shell}: {script}");
        }
    }
}
