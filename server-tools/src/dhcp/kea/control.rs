//! What is asked by Kea's control socket, and what its answers mean. Pure.
//!
//! Only two commands are ever sent: `config-reload`, with which Kea reads its file again, and `config-get`, with which it tells what it
//! serves. Never `config-write`, which would write all included files into one.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use ghost_contract::MacAddress;
use serde_json::Value;

use super::table::{HostTable, mac_address};

pub(super) const RELOAD: &[u8] = br#"{ "command": "config-reload" }"#;
pub(super) const GET: &[u8] = br#"{ "command": "config-get" }"#;

/// The control socket that a configuration names; the first of several.
pub(super) fn socket(table: &HostTable) -> Option<PathBuf> {
    let values = &table.values;
    let sockets = values
        .member(table.all, "control-socket")
        .into_iter()
        .chain(values.maps(table.all, "control-sockets"));
    let is_unix = |socket: &usize| values.text_of(*socket, "socket-type").is_some_and(|kind| kind == "unix");
    let mut unix = sockets.filter(is_unix);
    unix.find_map(|socket| values.text_of(socket, "socket-name")).map(PathBuf::from)
}

/// What an answer brings, if Kea has done what it was asked for.
pub(crate) fn granted(answer: &[u8]) -> anyhow::Result<Value> {
    let mut answer: Value = serde_json::from_slice(answer).context("its answer is not JSON")?;
    let text = answer["text"].as_str().unwrap_or_default();
    match answer["result"].as_i64() {
        Some(0) => Ok(answer["arguments"].take()),
        Some(2) => bail!("it does not know the command: {text}"),
        Some(_) => bail!("it refuses: {text}"),
        None => bail!("its answer says no result"),
    }
}

/// What one hardware address is offered: with which address, and which boot file.
type Offer = (MacAddress, String, String);

/// Whether what Kea serves is what the files say, host for host; the address and the boot file of the first that differs.
pub(crate) fn difference(table: &HostTable, served: &Value) -> Option<String> {
    let (mut written, mut told) = (written(table), told(&served["Dhcp4"]));
    written.sort();
    told.sort();
    let missing = written.iter().find(|offer| told.binary_search(offer).is_err());
    let other = told.iter().find(|offer| written.binary_search(offer).is_err());
    let words = |(mac, _, file): &Offer| format!("{mac} is offered '{file}'");
    match (missing, other) {
        (Some(missing), _) => Some(format!("in the file {}", words(missing))),
        (None, Some(other)) => Some(format!("by the server {}", words(other))),
        (None, None) => None,
    }
}

fn written(table: &HostTable) -> Vec<Offer> {
    let offer = |host: &super::Host| {
        let text = |key| table.values.text_of(host.node, key).unwrap_or_default();
        Some((host.mac?, text("ip-address"), comparable(&text("boot-file-name"))))
    };
    table.hosts().iter().filter_map(offer).collect()
}

fn told(all: &Value) -> Vec<Offer> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let shared = list(&all["shared-networks"]);
    let subnets =
        list(&all["subnet4"]).into_iter().chain(shared.iter().flat_map(|shared| list(&shared["subnet4"])));
    let reservations =
        subnets.flat_map(|subnet| list(&subnet["reservations"])).chain(list(&all["reservations"]));
    let offer = |reservation: Value| {
        let text = |key: &str| reservation[key].as_str().unwrap_or_default().to_owned();
        // An address that is not set is told as one that nobody has, or not at all.
        let ip = Some(text("ip-address")).filter(|ip| ip != "0.0.0.0").unwrap_or_default();
        Some((mac_address(&text("hw-address"))?, ip, comparable(&text("boot-file-name"))))
    };
    reservations.filter_map(offer).collect()
}

/// Bytes that are not ASCII are told in ways of their own.
fn comparable(file: &str) -> String {
    if file.is_ascii() { file.to_owned() } else { String::new() }
}
