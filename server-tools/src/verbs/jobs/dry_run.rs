//! `--dry-run`: what each job would do, in words or for programs. It knows nothing of how jobs run.

use std::path::Path;

use ghost_contract::{Generation, HostName, MacAddress, Mode};
use serde::Serialize;

use super::Intent;
use crate::output::Output;

/// What a job would do, for programs.
#[derive(Serialize)]
struct Would<'a> {
    host: &'a HostName,
    mode: Mode,
    changed: bool,
    mac: MacAddress,
    file: &'a Path,
    offered: String,
    boot_file: &'a str,
    generation: Option<&'a Generation>,
    imager: Option<String>,
}

pub(super) fn say_what_would_be_done(mode: Mode, intents: &[Intent], output: &mut Output) {
    for Intent { host, settings, generation, imager, .. } in intents {
        let would = Would {
            host: &host.name,
            mode,
            changed: false,
            mac: host.mac,
            file: &host.file,
            offered: String::from_utf8_lossy(&host.offered).into_owned(),
            boot_file: &settings.boot_file,
            generation: generation.as_ref(),
            imager: imager.as_ref().map(|imager| imager.name().to_string()),
        };
        output.either(&would, || would.words());
    }
}

impl Would<'_> {
    fn words(&self) -> String {
        let Self { host, mode, mac, file, offered, boot_file, generation, imager, .. } = self;
        let of = generation.map(|generation| format!(" of {generation}")).unwrap_or_default();
        let with = imager.as_ref().map(|imager| format!(" with {imager}")).unwrap_or_default();
        format!(
            "{host}: would offer \"{boot_file}\" instead of \"{offered}\" in {}, wake {mac} and run {mode}{of} on it{with}; nothing was changed",
            file.display()
        )
    }
}
