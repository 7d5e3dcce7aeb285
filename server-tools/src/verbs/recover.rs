//! `ghostctl recover`: undoes what crashed jobs and mounts have left, or says what it would undo.

use crate::exit::Exit;
use crate::output::{Form, Output};
use crate::recovery::{self, Recovery};
use crate::site::Site;
use crate::state::damaged;

use super::dhcp::interrupted;
use super::images;

/// Undoes and finishes everything that was left.
pub(super) fn run(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let recovered = jobs(site, output)?;
    let by_hand = interrupted::recover(site, output);
    let exit = recovered.exit().max(by_hand).max(strays(site, output));
    let mounts = images::recover(site, output)?;
    if recovered.is_empty() && exit == Exit::Done && mounts == 0 && output.form() == Form::Plain {
        output.line("no job was left by a crash");
    }
    Ok(exit)
}

/// Undoes and finishes what earlier jobs have left, before a new one begins. What cannot be read, now or before, may have told of
/// a swap, so DHCP itself is looked at then, and the program does not end with success whatever becomes of the new job.
pub(super) fn before_a_job(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let recovered = jobs(site, output)?;
    let by_hand = interrupted::recover(site, output);
    if recovered.is_undamaged() && damaged::all(&site.ghostrc.state_folder).is_empty() {
        return Ok(by_hand);
    }
    Ok(recovered.exit().max(by_hand).max(strays(site, output)))
}

/// Says what would be done, and does nothing.
pub(super) fn say(site: &Site, output: &mut Output) -> anyhow::Result<Exit> {
    let left = recovery::left(site)?;
    left.iter().for_each(|one| output.either(one, || format!("{}: {}", one.host, one.words())));
    let is_said = interrupted::say(site, output);
    if left.is_empty() && !is_said && output.form() == Form::Plain {
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

/// Tells which hosts DHCP offers the boot file although no job and no person has asked for it.
fn strays(site: &Site, output: &mut Output) -> Exit {
    let strays = match recovery::strays(site) {
        Ok(strays) => strays,
        Err(error) => {
            let words =
                format!("error: cannot tell which hosts DHCP offers the boot file without a job: {error:#}");
            output.line_left(&words);
            return Exit::of(&error).max(Exit::Failed);
        }
    };
    strays.iter().for_each(|stray| output.either_left(stray, || stray.words()));
    if strays.is_empty() { Exit::Done } else { Exit::Failed }
}
