//! Configurations of DHCP servers, lists of machines, and what DHCP servers say.

use std::io;
use std::path::Path;

use ghost_contract::HostName;
use ghostctl::dhcp::isc::lexer::Lexer;
use ghostctl::dhcp::isc::{HostTable, Tree};
use ghostctl::dhcp::{Back, Configuration as _, Edit, Reverts, Swap, Wanted, dnsmasq, isc, kea, proxy};
use ghostctl::parsers;

/// The boot file of the swaps.
const BOOT: &str = "pxelinux.0";

/// Tokens put together are the input, and no statement reaches outside it.
pub fn lexer(input: &[u8]) {
    let tokens: Vec<u8> = Lexer::new(input).flat_map(|token| token.bytes.iter().copied()).collect();
    assert_eq!(tokens, input);
    for statement in Tree::parse(input).statements {
        assert!(statement.start <= statement.head_end && statement.head_end <= statement.end);
        assert!(statement.end <= input.len());
    }
}

/// Whatever can be swapped comes back byte for byte.
pub fn editor(input: &[u8]) {
    let table = HostTable::of_one_file(Path::new("dhcpd.conf"), input.to_vec());
    if table.hosts().iter().any(|host| table.fault_before_end_of(host).is_some()) {
        return;
    }
    let wanted = wanted(table.clients().map(|(name, _)| name));
    comes_back(isc::swap(&table, &wanted), wanted, isc::revert);
}

/// The same of Kea's configuration, whose tokens put together are the input.
pub fn kea(input: &[u8]) {
    let tokens = kea::lexer::Lexer::new(input).flat_map(|token| token.bytes.iter().copied());
    assert_eq!(tokens.collect::<Vec<u8>>(), input);
    let mut nothing = |_: &Path| Err(io::ErrorKind::NotFound.into());
    match kea::HostTable::read(Path::new("/kea-dhcp4.conf"), input.to_vec(), &mut nothing) {
        Ok(table) => {
            let wanted = wanted(table.clients().map(|(name, _)| name));
            comes_back(kea::swap(&table, &wanted), wanted, kea::revert);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// The same of a file of dnsmasq's options, with hosts that have tags of their own.
pub fn dnsmasq(input: &[u8]) {
    let configuration = b"dhcp-optsfile=/options\ndhcp-host=2:0:0:0:0:2,set:john,192.168.7.2,john\ndhcp-host=2:0:0:0:0:3,set:joe,192.168.7.3,joe\n";
    served_by_dnsmasq(configuration, input);
}

/// The same of dnsmasq's own configuration, which may name a file of options and a file of hosts.
pub fn dnsmasq_conf(input: &[u8]) {
    served_by_dnsmasq(input, b"tag:john,option:bootfile-name,nobackup\ntag:joe,67,nobackup\n");
}

/// The same of a proxy's configuration.
pub fn proxy(input: &[u8]) {
    let around = proxy::Around::default();
    let table = proxy::ClientTable::read(Path::new("/proxy.conf"), input.to_vec(), &around);
    let wanted = wanted(table.clients().into_iter().map(|(name, _)| name));
    comes_back(proxy::swap(&table, &wanted), wanted, proxy::revert);
}

fn served_by_dnsmasq(configuration: &[u8], options: &[u8]) {
    let mut read = |path: &Path| match path.to_str() {
        Some("/options") => Ok(options.to_vec()),
        Some("/hosts") => Ok(b"02:00:00:00:00:02,set:john,192.168.7.2,john\n".to_vec()),
        Some("/dnsmasq.conf") => Ok(configuration.to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let mut listed = |folder: &Path| match folder.to_str() {
        Some("/") => Ok(vec!["/options".into(), "/hosts".into(), "/dnsmasq.conf".into()]),
        _ => Err(io::ErrorKind::NotADirectory.into()),
    };
    let mut content = dnsmasq::Content { file: &mut read, folder: &mut listed };
    let around = dnsmasq::Around::default();
    let file = Path::new("/dnsmasq.conf");
    match dnsmasq::HostTable::read(file, configuration.to_vec(), &around, &mut content) {
        Ok(table) => {
            let wanted = wanted(table.clients().map(|(name, _)| name));
            comes_back(dnsmasq::swap(&table, &wanted), wanted, dnsmasq::revert);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn wanted(hosts: impl Iterator<Item = HostName>) -> Vec<Wanted> {
    hosts.map(|host| Wanted { host, boot_file: BOOT.to_owned() }).collect()
}

/// A swap followed by its revert changes nothing.
fn comes_back(
    edit: Edit,
    wanted: Vec<Wanted>,
    revert: impl Fn(&Path, &[u8], &[(HostName, Swap)]) -> Reverts,
) {
    let hosts = wanted.into_iter().map(|wanted| wanted.host);
    let swapped = hosts.zip(edit.swaps).filter_map(|(host, swap)| Some((host, swap.ok()?)));
    let mut swapped: Vec<(HostName, Swap)> = swapped.collect();
    for change in edit.changes {
        let (of_file, others) = swapped.into_iter().partition(|(_, swap)| swap.file == change.file);
        swapped = others;
        let reverted = revert(&change.file, &change.contents, &of_file);
        assert_eq!(reverted.contents, Some(change.read));
        assert!(!of_file.is_empty() && reverted.each.iter().all(|back| *back == Back::Put));
    }
    assert!(swapped.is_empty(), "{swapped:?} change no file");
}

/// What Kea says that it serves is compared with what its file says, whatever it says.
pub fn kea_answer(input: &[u8]) {
    assert!(parsers::kea_answer(input).is_none_or(|difference| !difference.is_empty()));
}

/// Machines that are read from a list come into a configuration as they are, and are taken out again. The first byte says what
/// the list is called.
pub fn lists(input: &[u8]) {
    const NAMES: [&str; 4] = ["pcs", "pcs.csv", "ethers", "dhcpd.leases"];
    let (first, rest) = input.split_first().unwrap_or((&0, input));
    parsers::list(NAMES[usize::from(*first) % NAMES.len()], rest);
}

/// An offer is told without control characters, and some boot ROM may load the boot file that most of them do.
pub fn offer(input: &[u8]) {
    let Some((words, may_boot)) = parsers::offer(input) else { return };
    assert!(may_boot && !words.contains(char::is_control), "{words:?}");
}
