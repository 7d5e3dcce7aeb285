//! `ghostctl recover`: what crashed jobs and mounts have left, said or undone.

use crate::exit::Exit;
use crate::output::{Form, Output};
use crate::recovery::{self, Recovery};
use crate::site::Site;

use super::images;

/// Undoes and finishes everything that was left.
pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let recovered = jobs(site, output)?;
    let strays = strays(site, output);
    let mounts = images::recover(site, output)?;
    if recovered.is_empty() && strays == Exit::Done && mounts == 0 && output.form() == Form::Plain {
        output.line("no job was left by a crash");
    }
    Ok(recovered.exit().max(strays))
}

/// Says what would be done, and does nothing.
pub(super) fn say(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let left = recovery::left(site)?;
    left.iter().for_each(|one| match output.form() {
        Form::Json => output.json(one),
        Form::Plain => output.line(&format!("{}: {}", one.host, one.words())),
    });
    if left.is_empty() && output.form() == Form::Plain {
        output.line("no job was left by a crash");
    }
    Ok(Exit::Done)
}

/// Undoes and finishes what jobs have left.
pub(super) fn jobs(site: &Site, output: &mut Output) -> anyhow::Result<Recovery> {
    // What follows puts back what DHCP offers, which waits for no reader.
    output.beside_jobs();
    Ok(recovery::recover_and_tell(site, output)?)
}

/// Tells of hosts that DHCP offers the boot file although nobody is responsible for that.
pub(super) fn strays(site: &Site, output: &mut Output) -> Exit {
    let strays = match recovery::strays(site) {
        Ok(strays) => strays,
        Err(error) => {
            let words =
                format!("error: cannot tell which hosts DHCP offers the boot file for nobody: {error:#}");
            output.line(&words);
            return Exit::of(&error).max(Exit::Failed);
        }
    };
    strays.iter().for_each(|stray| match output.form() {
        Form::Json => output.json(stray),
        Form::Plain => output.line(&stray.words()),
    });
    if strays.is_empty() { Exit::Done } else { Exit::Failed }
}
