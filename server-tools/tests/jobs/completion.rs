//! What a shell is offered after Tab.

use std::fs;
use std::process::Command;

use super::boot_server::{BootServer, said};

/// What the program answers to a shell's script, with these words so far, the last of which is being typed.
fn offered(server: &BootServer, shell: &str, words: &[&str]) -> Vec<String> {
    let config = server.path("ghostrc");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ghostctl"));
    command.env("GHOSTCTL_COMPLETE", shell).env("_CLAP_IFS", "\n").args(["--", "ghostctl", "--config"]);
    command.arg(config).args(words).env("_CLAP_COMPLETE_INDEX", (words.len() + 2).to_string());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{shell} {words:?}: {}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    // zsh and fish are told what a word means as well.
    text.lines().map(|line| line.split([':', '\t']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_shell_completes_the_hosts_of_the_dhcp_configuration() {
    let server = BootServer::with_hosts(3);
    for shell in ["bash", "zsh", "fish"] {
        for verb in [
            &["backup"][..],
            &["restore", "--yes"],
            &["test", "pc2"],
            &["wake"],
            &["status"],
            &["screen"],
            &["cancel"],
            &["doctor"],
            &["dhcp", "swap"],
            &["images", "list"],
            &["images", "show"],
            &["images", "mount"],
        ] {
            let hosts = offered(&server, shell, &[verb, &["pc"]].concat());
            assert_eq!(hosts, ["pc2", "pc3", "pc4"], "{shell} {verb:?}");
        }
        assert_eq!(offered(&server, shell, &["doc"]), ["doctor"], "{shell}");
    }
    fs::remove_file(server.configuration()).unwrap();
    assert!(!offered(&server, "bash", &["backup", ""]).contains(&"pc2".to_owned()), "and without it none");
}

#[test]
fn bash_itself_offers_them_with_the_script_that_packages_install() {
    let server = BootServer::with_hosts(2);
    let share = server.path("share");
    assert!(server.run(&["generate-manual", share.to_str().unwrap()]).status.success());
    let script = share.join("bash-completion/completions/ghostctl");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ghostctl"));
    let typed = format!(
        ". {}; COMP_WORDS=(ghostctl --config {} backup pc); COMP_CWORD=4; COMP_TYPE=9; \
         _clap_complete_ghostctl ghostctl pc backup; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        server.path("ghostrc").display()
    );
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["--norc", "-c", &typed]).env("PATH", path).output().unwrap();
    let offered = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(offered.lines().map(str::trim).collect::<Vec<_>>(), ["pc2", "pc3"], "{}", said(&output));
}
