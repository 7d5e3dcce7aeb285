//! What holds for every configuration: a swap changes one value, and its revert brings every byte back.

use std::io;
use std::ops::Range;
use std::path::Path;

use ghost_contract::HostName;
use ghostctl::dhcp::isc::lexer::Lexer;
use ghostctl::dhcp::isc::{HostTable, Tree};
use ghostctl::dhcp::{Back, Reverts, Swap, Wanted, isc};
use proptest::prelude::*;

use crate::configurations::configuration;

const FILE: &str = "dhcpd.conf";
const BOOT: &str = "pxelinux.0";

fn table(bytes: &[u8]) -> HostTable {
    HostTable::read(Path::new(FILE), bytes.to_vec(), &mut |_| Err(io::ErrorKind::NotFound.into()))
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(bytes)))
}

/// A swap, the file after it, and the stretch of the file before it that the swap replaced.
struct Swapped {
    host: HostName,
    swap: Swap,
    contents: Vec<u8>,
    value: Range<usize>,
}

fn wanted(hosts: &[String]) -> Vec<Wanted> {
    hosts.iter().map(|host| Wanted { host: host.parse().unwrap(), boot_file: BOOT.to_owned() }).collect()
}

fn swap(bytes: &[u8], host: &str) -> Swapped {
    let table = table(bytes);
    let host: HostName = host.parse().unwrap();
    let mut edit = isc::swap(&table, &wanted(&[host.to_string()]));
    let swap = edit.swaps.remove(0).unwrap_or_else(|error| panic!("{error}"));
    Swapped {
        value: table.usable(&host).unwrap().value,
        host,
        swap,
        contents: edit.changes.remove(0).contents,
    }
}

fn revert(now: &[u8], swapped: &Swapped) -> Vec<u8> {
    let Reverts { contents, each } =
        isc::revert(Path::new(FILE), now, &[(swapped.host.clone(), swapped.swap.clone())]);
    assert_eq!(each, [Back::Put]);
    contents.unwrap()
}

/// The bytes of each host's entry, by name.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let tree = Tree::parse(bytes);
    let hosts = tree.statements.iter().filter(|s| bytes[s.start..].to_ascii_lowercase().starts_with(b"host"));
    hosts
        .map(|s| (ghostctl::dhcp::isc::tree::host_name(bytes, s).unwrap(), bytes[s.start..s.end].to_vec()))
        .collect()
}

proptest! {
    #[test]
    fn a_revert_after_a_swap_is_as_if_nothing_had_been(configuration in configuration()) {
        for host in &configuration.hosts {
            let swap = swap(&configuration.bytes, host);
            prop_assert_ne!(&swap.contents, &configuration.bytes);
            prop_assert_eq!(revert(&swap.contents, &swap), configuration.bytes.clone());
        }
    }

    #[test]
    fn a_swap_changes_no_other_hosts_bytes(configuration in configuration()) {
        let before = entries(&configuration.bytes);
        prop_assert_eq!(before.iter().map(|(name, _)| name).collect::<Vec<_>>(), configuration.hosts.iter().collect::<Vec<_>>());
        for host in &configuration.hosts {
            let swap = swap(&configuration.bytes, host);
            let (start, end) = (swap.value.start, swap.value.end);
            prop_assert_eq!(&swap.contents[..start], &configuration.bytes[..start]);
            prop_assert_eq!(&swap.contents[start + BOOT.len() + 2..], &configuration.bytes[end..]);
            for (was, is) in before.iter().zip(entries(&swap.contents)) {
                prop_assert_eq!(*was == is, was.0 != *host);
            }
        }
    }

    #[test]
    fn all_hosts_can_be_swapped_together_and_reverted_in_any_order(configuration in configuration(), backwards: bool) {
        let mut now = configuration.bytes.clone();
        let mut swaps = Vec::new();
        for host in &configuration.hosts {
            let swap = swap(&now, host);
            now.clone_from(&swap.contents);
            swaps.push(swap);
        }
        if backwards {
            swaps.reverse();
        }
        for swap in &swaps {
            now = revert(&now, swap);
        }
        prop_assert_eq!(now, configuration.bytes);
    }

    #[test]
    fn one_edit_of_all_hosts_is_what_an_edit_of_each_comes_to(configuration in configuration()) {
        let edit = isc::swap(&table(&configuration.bytes), &wanted(&configuration.hosts));
        let mut one_by_one = configuration.bytes.clone();
        for host in &configuration.hosts {
            one_by_one = swap(&one_by_one, host).contents;
        }
        prop_assert_eq!(&edit.changes[0].contents, &one_by_one);
        let swaps = edit.swaps.into_iter().map(Result::unwrap);
        let swapped: Vec<_> = configuration.hosts.iter().map(|host| host.parse().unwrap()).zip(swaps).collect();
        let reverts = isc::revert(Path::new(FILE), &one_by_one, &swapped);
        prop_assert!(reverts.each.iter().all(|back| *back == Back::Put));
        prop_assert_eq!(reverts.contents, Some(configuration.bytes));
    }

    #[test]
    fn what_others_write_meanwhile_stays(configuration in configuration()) {
        let host = &configuration.hosts[0];
        let swap = swap(&configuration.bytes, host);
        let around = |bytes: &[u8]| [b"# new \xe9\nhost newpc { filename \"pxelinux.0\"; }\n", bytes, b"\nhost pc { }"].concat();
        prop_assert_eq!(revert(&around(&swap.contents), &swap), around(&configuration.bytes));
    }

    #[test]
    fn statements_and_tokens_cover_every_byte_of_any_input(input: Vec<u8>) {
        let tokens: Vec<u8> = Lexer::new(&input).flat_map(|token| token.bytes.to_vec()).collect();
        prop_assert_eq!(&tokens, &input);
        for statement in Tree::parse(&input).statements {
            prop_assert!(statement.start <= statement.head_end && statement.head_end <= statement.end);
            prop_assert!(statement.end <= input.len());
        }
    }
}
