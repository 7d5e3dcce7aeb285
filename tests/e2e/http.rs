//! A UEFI PC whose GRUB loads kernel and initramfs over HTTP, and over TFTP while there is no HTTP server: `make http-boot`. Prints
//! how long each takes from the power button to the first line of `ghost-init`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use ghost_lab::Firmware;
use ghost_lab::config::{repository, target_folder};
use ghost_lab::running::Running;

use crate::stage::{BOOT, OFF, SOON, Stage};

/// The configuration of GRUB with HTTP, for a lab that calls this program for it.
fn grub_config() -> std::path::PathBuf {
    let program = target_folder().join("grub-config-http");
    let text = format!("#!/bin/sh\nHTTPBOOT=yes exec {}/rootfs/grub-config \"$@\"\n", repository().display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    program
}

fn serve_http(stage: &Stage) -> Running {
    let folder = stage.folder().tftp().display().to_string();
    let server =
        stage.run(&["busybox", "httpd", "-f", "-vv", "-p", "192.168.7.1:80", "-h", &folder]).unwrap();
    let doctor = || {
        let doctor = stage.ghostctl(&["doctor", "john"]).unwrap();
        doctor.wait(SOON).unwrap();
        doctor.text()
    };
    ghost_lab::wait::until("the HTTP server", SOON, || {
        doctor().contains("initrd comes over HTTP").then_some(())
    })
    .unwrap();
    server
}

/// Has john do a job; the time from the power button to `ghost-init`.
fn booted(stage: &Stage) -> Duration {
    let john = stage.pc("john").unwrap();
    let ghostctl = stage.ghostctl(&["test", "john"]).unwrap();
    john.wait_on(SOON).unwrap();
    let on = Instant::now();
    john.wait_console("ghost-init: version", BOOT).unwrap();
    let took = on.elapsed();
    assert_eq!(ghostctl.wait(BOOT).unwrap(), 0, "{}", ghostctl.text());
    john.wait_off(OFF).unwrap();
    took
}

#[test]
fn kernel_and_initramfs_come_over_http_or_else_over_tftp() {
    let stage = Stage::with("http", |config| {
        config.grub_config = grub_config();
        let settings = [("SLEEP", "1"), ("HTTPBOOT", "yes"), ("OFF_LISTEN", "0")];
        config.ghostrc.extend(settings.map(|(key, value)| (key.to_owned(), value.to_owned())));
        config.pcs[0].with_firmware(Firmware::SecureBoot);
    });
    let doctor = stage.ghostctl(&["doctor", "john"]).unwrap();
    doctor.wait(SOON).unwrap();
    assert!(doctor.text().contains("vmlinuz does not come over HTTP"), "{}", doctor.text());
    let over_tftp = booted(&stage);

    let server = serve_http(&stage);
    let before = server.text();
    let over_http = booted(&stage);
    let asked = server.text().split_off(before.len());
    for file in ["url:/vmlinuz", "url:/initrd"] {
        assert!(asked.contains(file), "{file}: {asked}");
    }
    println!(
        "from the power button to ghost-init: {:.1} s over TFTP, {:.1} s over HTTP",
        over_tftp.as_secs_f64(),
        over_http.as_secs_f64()
    );
}
