//! What a job and the recovery after it have left.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;

use super::case::Case;
use crate::boot_server::{BootServer, said};

/// How a case ended.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) succeeded: bool,
    pub(crate) died: bool,
    pub(crate) recovered: bool,
    pub(crate) wrong: Vec<String>,
    /// What the job and the recovery have said.
    pub(crate) said: String,
}

/// What tells an administrator that something is left, and what to do about it.
const LEFT: [&str; 4] = ["left undone", "ghostctl dhcp revert", "ghostctl recover", "was left by a crash"];

/// Looks at what the job has left, recovers it, and looks again. The fault is over.
pub(crate) fn judge(case: &Case, server: &BootServer, before: &[u8], output: Option<Output>) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(output) = output else {
        verdict.wrong.push("the job did not end".to_owned());
        return verdict;
    };
    verdict.said = said(&output);
    verdict.succeeded = output.status.code() == Some(0);
    verdict.died = output.status.signal().is_some();
    if verdict.succeeded {
        verdict.wrong.extend(left_of(server, before).into_iter().map(|left| format!("exit 0, and {left}")));
    } else if !verdict.died && !case.takes_words() && !LEFT.iter().any(|words| verdict.said.contains(words)) {
        let wrong = offered(server, before).map(|left| format!("nothing is said to be left, and {left}"));
        verdict.wrong.extend(wrong);
    }
    if !verdict.succeeded {
        recover(server, before, &mut verdict);
    }
    verdict
}

fn recover(server: &BootServer, before: &[u8], verdict: &mut Verdict) {
    verdict.recovered = !server.journal().is_empty();
    let first = server.run(&["recover"]);
    verdict.said.push_str(&format!("--- recover\n{}", said(&first)));
    // What cannot be read is reported once.
    if first.status.code() != Some(0) {
        let second = server.run(&["recover"]);
        verdict.said.push_str(&format!("--- recover\n{}", said(&second)));
        if second.status.code() != Some(0) {
            verdict.wrong.push(format!("a second recover ends with {}", second.status));
        }
    }
    verdict.wrong.extend(left_of(server, before).into_iter().map(|left| format!("after recover {left}")));
}

/// What is wrong with what DHCP offers.
fn offered(server: &BootServer, before: &[u8]) -> Option<String> {
    if server.configured() != before {
        return Some("the DHCP configuration is not what it was".to_owned());
    }
    (!server.serves(before)).then(|| "the DHCP server does not serve what it did".to_owned())
}

/// All that may not be there any more.
fn left_of(server: &BootServer, before: &[u8]) -> Vec<String> {
    let mut left: Vec<String> = offered(server, before).into_iter().collect();
    let mut is_there = |there: bool, what: &str| left.extend(there.then(|| what.to_owned()));
    is_there(!server.journal().is_empty(), "the journal has an entry");
    is_there(!server.nonces().is_empty(), "a nonce is in the image store");
    is_there(server.path("base/192.168.7.2etc/ghost/order.json").exists(), "an order is in the tree");
    let listed = std::fs::read_dir(server.path("store/pc2")).into_iter().flatten().flatten();
    let mut names = listed.map(|entry| entry.file_name().to_string_lossy().into_owned());
    is_there(names.any(|name| name.starts_with(".incoming")), "a staging folder is in the image store");
    left
}
