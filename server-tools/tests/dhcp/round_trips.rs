//! Configurations of Kea and of dnsmasq that were written elsewhere: all of a folder, `make round-trips CONFIGURATIONS=DIR`. Without
//! one, the examples of Debian's kea-doc and dnsmasq-base.
//!
//! ```text
//! file ─▶ read ─▶ a host of ours beside theirs ─▶ each host: swapped, one value differs ─▶ the server's checker ─▶ reverted, as before
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ghost_contract::HostName;
use ghostctl::dhcp::dnsmasq::{self, Around, Content};
use ghostctl::dhcp::{Back, Configuration, Edit, Reverts, Swap, Wanted, kea};

/// What is read if no folder is named.
const EXAMPLES: [&str; 2] = ["/usr/share/doc/kea/examples/kea4", "/usr/share/doc/dnsmasq-base/examples"];
const KEA: &str = "Kea";
const DNSMASQ: &str = "dnsmasq";

/// How one configuration did.
#[derive(Default)]
struct Trip {
    is_accepted: bool,
    swapped: usize,
    refused: usize,
}

/// Of all configurations of one server.
#[derive(Default)]
struct Figures {
    read: usize,
    unread: usize,
    accepted: usize,
    swapped: usize,
    refused: usize,
    /// In how many a job could be done for the host of ours.
    with_ours: usize,
}

/// Puts values back into a file that holds these bytes.
type Revert = fn(&Path, &[u8], &[(HostName, Swap)]) -> Reverts;

/// A configuration as it is on disk, with the pure edits of its server.
struct Case<'a> {
    path: &'a Path,
    /// The file that is swapped in, and its bytes.
    edited: &'a Path,
    before: &'a [u8],
    configuration: &'a dyn Configuration,
    revert: Revert,
    checker: &'a dyn Fn() -> bool,
}

impl Case<'_> {
    /// Swaps every host by itself.
    fn run(&self) -> Trip {
        let mut trip = Trip { is_accepted: (self.checker)(), ..Trip::default() };
        for (host, _) in self.configuration.clients() {
            let edit =
                self.configuration.swap(&[Wanted { host: host.clone(), boot_file: "pxelinux.0".to_owned() }]);
            match edit {
                Edit { changes, swaps } if changes.len() == 1 => {
                    let [Ok(swap)] = <[_; 1]>::try_from(swaps).unwrap() else {
                        panic!("{}", self.path.display())
                    };
                    let [change] = <[_; 1]>::try_from(changes).unwrap();
                    self.there_and_back(
                        host,
                        swap,
                        &change.file,
                        &change.read,
                        &change.contents,
                        trip.is_accepted,
                    );
                    trip.swapped += 1;
                }
                _ => trip.refused += 1,
            }
        }
        trip
    }

    fn there_and_back(
        &self,
        host: HostName,
        swap: Swap,
        file: &Path,
        before: &[u8],
        swapped: &[u8],
        is_accepted: bool,
    ) {
        let at = || format!("{}: {host}", self.path.display());
        let (original, new) = differing(before, swapped);
        let value = swap.original.as_bytes();
        assert!(value.len() >= original.len() && new.len() <= "\"pxelinux.0\"".len(), "{}: one value", at());
        if file == self.edited && before == self.before {
            fs::write(file, swapped).unwrap();
            assert!(!is_accepted || (self.checker)(), "{}: its checker refuses the swap", at());
            fs::write(file, before).unwrap();
        }
        let reverted = (self.revert)(file, swapped, &[(host.clone(), swap)]);
        assert_eq!(reverted.each, [Back::Put], "{}", at());
        assert!(reverted.contents.as_deref() == Some(before), "{}: another byte differs", at());
    }
}

/// What differs between the bytes that both begin with and those that both end with.
fn differing<'a>(one: &'a [u8], other: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[start..], &other[start..]);
    let end = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
    (&one[..one.len() - end], &other[..other.len() - end])
}

fn is_accepted_by(program: &str, words: &[&str], file: &Path) -> bool {
    let mut checker = Command::new(program);
    checker.args(words).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    checker.status().expect("install the DHCP servers that are tested against").success()
}

/// A subnet of ours, before those that are there.
const SUBNET: &str = "{ \"subnet\": \"203.0.113.0/24\", \"id\": 4000000, /* ours */ \"reservations\": [ { \"hw-address\": \
    \"02:00:00:00:00:02\", \"ip-address\": \"203.0.113.2\", \"hostname\": \"ours\", \"boot-file-name\": \"nobackup\" } ] },";

/// The text with our subnet; as it is, where there is no list of subnets.
fn with_a_subnet_of_ours(text: &str) -> String {
    let is_said = |at: usize| !text[..at].rsplit('\n').next().unwrap_or_default().contains(['#', '/']);
    let named = text.match_indices("\"subnet4\"").find(|(at, _)| {
        let rest = text[at + 9..].trim_start().strip_prefix(':').map(str::trim_start);
        is_said(*at) && rest.is_some_and(|rest| rest.starts_with('['))
    });
    let Some((at, _)) = named else { return text.to_owned() };
    let list = at + text[at..].find('[').unwrap() + 1;
    format!("{}{SUBNET}{}", &text[..list], &text[list..])
}

fn kea_trip(path: &Path, text: &str, scratch: &Path) -> Option<Trip> {
    let (file, text) = (scratch.join("kea.json"), with_a_subnet_of_ours(text));
    fs::write(&file, &text).unwrap();
    let beside = |included: &Path| fs::read(path.parent().unwrap().join(included));
    let table =
        kea::HostTable::read(&file, text.clone().into_bytes(), &mut |included| beside(included)).ok()?;
    let checker = || is_accepted_by("/usr/sbin/kea-dhcp4", &["-t"], &file);
    let (before, configuration) = (text.as_bytes(), &table);
    Some(Case { path, edited: &file, before, configuration, revert: kea::revert, checker: &checker }.run())
}

fn dnsmasq_trip(path: &Path, text: &str, scratch: &Path) -> Option<Trip> {
    let (file, folder) = (scratch.join("dnsmasq.conf"), scratch.join("options"));
    fs::create_dir_all(&folder).unwrap();
    let options = folder.join("hosts");
    let ours = "# ours\ntag:ours , option:bootfile-name, \"nobackup\" # ours\n";
    fs::write(&options, ours).unwrap();
    let mut text = text.trim_end().to_owned();
    write!(
        text,
        "\ndhcp-range=203.0.113.0,static\ndhcp-host=02:00:00:00:00:02,set:ours,203.0.113.2,ours\ndhcp-optsdir={}\n",
        folder.display()
    )
    .unwrap();
    fs::write(&file, &text).unwrap();
    let mut read = |named: &Path| fs::read(path.parent().unwrap().join(named));
    let mut listed = |named: &Path| {
        let entries = fs::read_dir(path.parent().unwrap().join(named))?;
        Ok(entries.map(|entry| entry.unwrap().path()).collect())
    };
    let mut content = Content { file: &mut read, folder: &mut listed };
    let table = dnsmasq::HostTable::read(&file, text.into_bytes(), &Around::default(), &mut content).ok()?;
    let checker = || is_accepted_by("/usr/sbin/dnsmasq", &["--test", "-C"], &file);
    let before = ours.as_bytes();
    let case = Case {
        path,
        edited: &options,
        before,
        configuration: &table,
        revert: dnsmasq::revert,
        checker: &checker,
    };
    Some(case.run())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![folder.to_owned()] };
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// Which server a file is a configuration of, as found by what it says.
fn server_of(text: &str) -> Option<&'static str> {
    let is_dnsmasq = |line: &str| {
        let name = line.split('=').next().unwrap_or_default().trim();
        ["dhcp-range", "dhcp-host", "domain-needed", "bogus-priv", "interface", "server", "address"]
            .contains(&name)
    };
    if text.contains("\"Dhcp4\"") && text.contains('{') {
        return Some(KEA);
    }
    (text.lines().any(is_dnsmasq) && !text.contains('{')).then_some(DNSMASQ)
}

#[test]
fn configurations_that_were_written_elsewhere_go_and_come_back() {
    let named = std::env::var_os("CONFIGURATIONS").filter(|folder| !folder.is_empty());
    let folders =
        named.map_or_else(|| EXAMPLES.map(PathBuf::from).into(), |folder| vec![PathBuf::from(folder)]);
    let scratch = tempfile::tempdir().unwrap();
    let mut all: BTreeMap<&str, Figures> = BTreeMap::new();
    for path in folders.iter().flat_map(|folder| files(folder)) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Some(server) = server_of(&text) else { continue };
        let trip = if server == KEA { kea_trip } else { dnsmasq_trip };
        let figures = all.entry(server).or_default();
        let Some(trip) = trip(&path, &text, scratch.path()) else {
            println!("{server}: not read: {}", path.display());
            figures.unread += 1;
            continue;
        };
        figures.read += 1;
        figures.accepted += usize::from(trip.is_accepted);
        figures.swapped += trip.swapped;
        figures.refused += trip.refused;
        figures.with_ours += usize::from(trip.swapped > 0);
    }
    println!(
        "{:8} {:>6} {:>9} {:>9} {:>14} {:>8} {:>9}",
        "server", "read", "not read", "accepted", "with a swap", "swapped", "unusable"
    );
    for (server, figures) in &all {
        let Figures { read, unread, accepted, swapped, refused, with_ours } = figures;
        println!("{server:8} {read:>6} {unread:>9} {accepted:>9} {with_ours:>14} {swapped:>8} {refused:>9}");
    }
    let swapped: usize = all.values().map(|figures| figures.swapped).sum();
    assert!(swapped > 0, "no configuration of Kea or dnsmasq is in {folders:?}");
}
