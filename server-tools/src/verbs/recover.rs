//! `ghostctl recover`: what crashed jobs and mounts have left, said or undone.

use crate::exit::Exit;
use crate::output::{Form, Output};
use crate::recovery::{self, Recovered};
use crate::site::Site;

use super::images;

/// Undoes and finishes everything that was left.
pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let recovered = jobs(site, output)?;
    let mounts = images::recover(site, output)?;
    if recovered.is_empty() && mounts == 0 && output.form() == Form::Plain {
        output.line("no job was left by a crash");
    }
    Ok(if recovered.iter().all(Recovered::is_over) { Exit::Done } else { Exit::Failed })
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
pub(super) fn jobs(site: &Site, output: &mut Output) -> anyhow::Result<Vec<Recovered>> {
    // What follows puts back what DHCP offers, which waits for no reader.
    output.beside_jobs();
    Ok(recovery::recover_and_tell(site, output)?)
}
