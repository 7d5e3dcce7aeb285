//! Given what was made and what is there now, what goes and what stays?

use std::collections::BTreeMap;

use super::*;
use crate::dhcp::Kind;
use crate::dhcp::isc::HostTable;
use crate::state::made::{Before, Unit};

struct World {
    made: Made,
    files: BTreeMap<PathBuf, Vec<u8>>,
    has_dhcp: bool,
    _state: tempfile::TempDir,
}

const DHCP: &str = "/etc/dhcp/dhcpd.conf";
const HOST: &str = "host a {\n        hardware ethernet 02:00:00:00:00:02;\n}\n";

impl World {
    /// One with settings that were made, a file that was changed, and a DHCP configuration with a host put in.
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut made = Made::default();
        let mut files = BTreeMap::new();
        for (path, before, after) in [
            ("/etc/ghostrc", None, "ours"),
            ("/etc/exports.d/ghost4linux.exports", None, "/srv/g/base 10.0.0.2(ro)\n"),
            ("/etc/default/isc-dhcp-server", Some("INTERFACESv4=\"\""), "INTERFACESv4=\"eth0\""),
        ] {
            made.will_write(state.path(), Path::new(path), before.map(str::as_bytes), after.as_bytes())
                .unwrap();
            files.insert(path.into(), after.into());
        }
        for file in made.files.values() {
            if let Before::Kept(kept) = &file.before {
                files.insert(kept.clone(), std::fs::read(kept).unwrap());
            }
        }
        made.written.push(Written {
            file: "/etc/dhcp/dhcpd.conf".into(),
            text: HOST.to_owned(),
            was: String::new(),
            host: None,
        });
        files.insert("/etc/dhcp/dhcpd.conf".into(), format!("# hers\n{HOST}").into());
        made.units.insert("tftpd-hpa".to_owned(), Unit::default());
        made.base_root = Some("/srv/g/base".into());
        made.folders = vec!["/srv/ghost".into(), "/etc/exports.d".into()];
        Self { made, files, has_dhcp: true, _state: state }
    }

    fn plan(&self) -> Removal {
        let now = |path: &Path| Ok(self.files.get(path).cloned());
        let contents = |changes: &[Change]| match changes {
            [.., last] => last.contents.clone(),
            [] => self.files.get(Path::new(DHCP)).cloned().unwrap_or_default(),
        };
        let around = Around {
            now: &now,
            dhcp: Kind::Isc.traits(),
            configuration: &|changes| {
                Ok(Some(Box::new(HostTable::of_one_file(Path::new(DHCP), contents(changes)))))
            },
            is_dhcp_installed: self.has_dhcp,
            base_root: self.made.base_root.clone(),
            has_boot_files: true,
            serves_others: &|_| Ok(None),
        };
        plan(&self.made, Path::new("/etc/ghostrc"), Path::new("/srv/ghost"), &around).unwrap()
    }

    fn shown(&self) -> Vec<String> {
        self.plan().steps.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn everything_that_was_made_goes_the_settings_last_and_the_store_never() {
    let world = World::new();
    assert_eq!(
        world.shown(),
        [
            "stop tftpd-hpa, now and at boot, as before",
            "put /etc/default/isc-dhcp-server back as it was",
            "remove /etc/exports.d/ghost4linux.exports",
            "stop exporting /srv/g/base to 10.0.0.2",
            "take out of /etc/dhcp/dhcpd.conf what was put in",
            "leave the DHCP server without a restart, since it has no network left",
            "remove the boot files that are as they were copied",
            "remove the base root /srv/g/base",
            "remove the folder /etc/exports.d, if it is empty",
            "remove /etc/ghostrc",
        ]
    );
    assert_eq!(world.plan().left, ["/srv/ghost and its images stay as they are"]);
    let Undo::Dhcp(changes) = &world.plan().steps[4] else { panic!() };
    assert_eq!(changes[0].contents, b"# hers\n");
}

#[test]
fn what_somebody_has_changed_stays_and_is_told() {
    let mut world = World::new();
    world.files.insert("/etc/ghostrc".into(), b"ours, and hers".to_vec());
    world.files.insert("/etc/dhcp/dhcpd.conf".into(), HOST.replace("02;", "03;").into());
    let shown = world.shown();
    assert!(!shown.iter().any(|step| step.contains("ghostrc") || step.contains("dhcpd.conf")), "{shown:?}");
    let left = world.plan().left.join("\n");
    assert!(left.contains("dhcpd.conf: 'host a {' has been changed since"), "{left}");
    assert!(left.contains("/etc/ghostrc has been changed since, so it stays"), "{left}");
}

#[test]
fn what_is_gone_is_told_from_what_was_changed_and_what_failed_is_tried_again() {
    let mut world = World::new();
    world.files.insert(DHCP.into(), b"# hers\n".to_vec());
    world.made.to_take_up.insert(DHCP.into());
    world.files.remove(Path::new("/etc/exports.d/ghost4linux.exports"));
    let withdraws = ["exportfs", "-u", "10.0.0.2:/srv/g/base"].map(str::to_owned).to_vec();
    world.made.pending.push(withdraws.clone());
    let removal = world.plan();
    assert!(removal.left.contains(&"/etc/dhcp/dhcpd.conf: 'host a {' is not there any more".to_owned()));
    assert_eq!(removal.gone, world.made.written);
    assert!(removal.steps.contains(&Undo::NoTakeUp) && removal.steps.contains(&Undo::Run(withdraws)));
}

#[test]
fn services_are_as_they_were_and_one_that_serves_others_goes_on() {
    let mut world = World::new();
    for (name, is_enabled, is_active) in
        [("isc-dhcp-server", false, false), ("nfs-kernel-server", true, false), ("other", false, true)]
    {
        world.made.units.insert(name.to_owned(), Unit { is_enabled, is_active });
    }
    let of_units = |world: &World| -> Vec<String> { world.shown().into_iter().take(3).collect() };
    assert_eq!(
        of_units(&world),
        [
            "stop isc-dhcp-server, now and at boot, as before",
            "keep other from starting at boot, as before",
            "stop tftpd-hpa, now and at boot, as before",
        ]
    );
    for (hers, goes_on) in [("host printer {}", false), ("subnet 10.1.0.0 netmask 255.255.255.0 {}", true)] {
        world.files.insert(DHCP.into(), format!("{HOST}{hers}\n").into());
        assert_eq!(!world.shown().concat().contains("isc-dhcp-server, now"), goes_on, "{hers}");
        assert_eq!(
            world.plan().steps.contains(&Undo::TakeUp),
            goes_on,
            "dhcpd ends without a network: {hers}"
        );
    }
    assert!(
        world.plan().left.join("\n").contains("nfs-kernel-server goes on: it was enabled before setup too")
    );
}

#[test]
fn without_a_dhcp_server_what_was_put_into_its_configuration_is_left_and_all_else_goes() {
    let mut world = World::new();
    let whole = world.shown();
    world.has_dhcp = false;
    let of_dhcp = |step: &&String| step.contains("dhcpd.conf") || step.contains("the DHCP server");
    let but_dhcp: Vec<String> = whole.iter().filter(|step| !of_dhcp(step)).cloned().collect();
    assert_eq!((world.shown(), whole.len() - but_dhcp.len()), (but_dhcp, 2));
    let words = "what was put into /etc/dhcp/dhcpd.conf stays, since ISC dhcpd is gone, which would check the rest: take it out by hand \
                 ('host a {'), or install isc-dhcp-server first";
    assert!(world.plan().left.contains(&words.to_owned()), "{:?}", world.plan().left);
    // Nobody has to check a file that goes as a whole.
    world.made.dhcp_configuration = Some(DHCP.into());
    world.files.insert(DHCP.into(), HOST.into());
    assert!(world.shown().contains(&"remove /etc/dhcp/dhcpd.conf".to_owned()));
}

#[test]
fn a_whole_dhcp_configuration_goes_only_if_nothing_else_came_into_it() {
    let mut world = World::new();
    world.made.dhcp_configuration = Some("/etc/dhcp/dhcpd.conf".into());
    assert!(world.shown().contains(&"take out of /etc/dhcp/dhcpd.conf what was put in".to_owned()));
    world.files.insert("/etc/dhcp/dhcpd.conf".into(), HOST.into());
    assert!(world.shown().contains(&"remove /etc/dhcp/dhcpd.conf".to_owned()));
}

#[test]
fn a_base_root_with_the_store_in_it_and_a_file_without_its_copy_stay() {
    let mut world = World::new();
    world.made.base_root = Some("/srv".into());
    world.files.retain(|path, _| !path.ends_with("1-isc-dhcp-server"));
    let (shown, left) = (world.shown(), world.plan().left.join("\n"));
    assert!(
        !shown.iter().any(|step| step.contains("base root") || step.contains("isc-dhcp-server")),
        "{shown:?}"
    );
    assert!(
        left.contains("/srv stays, since the image store is in it") && left.contains("is gone"),
        "{left}"
    );
}

#[test]
fn a_network_that_a_host_of_others_lives_in_stays_and_goes_with_it() {
    let mut world = World::new();
    let subnet = "# ours\nsubnet 192.168.7.0 netmask 255.255.255.0 {\n}\n";
    world
        .made
        .written
        .insert(0, Written { file: DHCP.into(), text: subnet.to_owned(), was: String::new(), host: None });
    let printer = "host printer_1 { fixed-address 192.168.7.77; }\n";
    world.files.insert(DHCP.into(), format!("{subnet}{HOST}{printer}").into());
    let removal = world.plan();
    let Some(Undo::Dhcp(changes)) = removal.steps.iter().find(|step| matches!(step, Undo::Dhcp(_))) else {
        panic!()
    };
    assert_eq!(String::from_utf8_lossy(&changes[0].contents), format!("{subnet}{printer}"));
    let left = removal.left.join("\n");
    assert!(
        left.contains("the network of printer_1 stays (/etc/dhcp/dhcpd.conf: 'subnet 192.168.7.0 netmask 255.255.255.0 {')"),
        "{left}"
    );
    world
        .files
        .insert(DHCP.into(), format!("{subnet}{HOST}host elsewhere {{ fixed-address 10.1.0.77; }}\n").into());
    assert!(!world.plan().left.join("\n").contains("network"));
}

const GANESHA: &str = "/etc/ganesha/ganesha.conf";
const OURS: &str = "/etc/ganesha/ghost4linux.conf";
const LINE: &str = "%include \"/etc/ganesha/ghost4linux.conf\"\n";

/// A world with a Ganesha that setup has told, and in which its file is like this now.
fn with_ganesha(main: &str) -> World {
    let mut world = World::new();
    let own = "# hers\n";
    for (path, before, after) in
        [(GANESHA, Some(own.as_bytes()), format!("{own}{LINE}")), (OURS, None, "EXPORT { }\n".to_owned())]
    {
        world.made.will_write(world._state.path(), Path::new(path), before, after.as_bytes()).unwrap();
        world.files.insert(path.into(), after.into());
    }
    let Before::Kept(kept) = &world.made.files[Path::new(GANESHA)].before else { panic!() };
    world.files.insert(kept.clone(), own.into());
    world.files.insert(GANESHA.into(), main.into());
    world
}

/// What becomes of Ganesha's own file and of ours; none where they stay as they are.
fn of_ganesha(world: &World) -> [Option<String>; 2] {
    let removal = world.plan();
    let at = |path: &str| {
        removal.steps.iter().enumerate().find_map(|(at, step)| match step {
            Undo::File { path: of, earlier, .. } if of == Path::new(path) => {
                Some((at, String::from_utf8(earlier.clone().unwrap_or_default()).unwrap()))
            }
            Undo::Edit { path: of, after, .. } if of == Path::new(path) => {
                Some((at, String::from_utf8(after.clone()).unwrap()))
            }
            _ => None,
        })
    };
    let (main, ours) = (at(GANESHA), at(OURS));
    if let (Some((main, _)), Some((ours, _))) = (&main, &ours) {
        assert!(main < ours, "the line goes before the file");
    }
    let restart = ["systemctl", "try-restart", "nfs-ganesha"].map(str::to_owned).to_vec();
    assert_eq!(
        removal.steps.iter().position(|step| *step == Undo::Run(restart.clone())),
        ours.as_ref().map(|(at, _)| at + 1)
    );
    [main, ours].map(|one| one.map(|(_, text)| text))
}

#[test]
fn ganesha_never_includes_a_file_that_is_gone() {
    let goes = Some(String::new());
    let export = "EXPORT { Export_Id = 7; }\n";
    for (main, then) in [
        (format!("# hers\n{LINE}"), Some("# hers\n".to_owned())),
        (format!("# hers\n{LINE}{export}"), Some(format!("# hers\n{export}"))),
        (format!("{LINE}# hers\r\n {}\r\n{export}", LINE.trim()), Some(format!("# hers\r\n{export}"))),
        (format!("# {LINE}{export}"), None),
        (export.to_owned(), None),
    ] {
        assert_eq!(of_ganesha(&with_ganesha(&main)), [then, goes.clone()], "{main}");
    }
    // What cannot be taken out includes a file without exports.
    for line in [
        &format!("{} # hers\n", LINE.trim()),
        "%INCLUDE ghost4linux.conf\n",
        "%include \"./ghost4linux.conf\"\n",
    ] {
        let world = with_ganesha(&format!("{line}{export}"));
        let [main, ours] = of_ganesha(&world);
        assert!(main.is_none(), "{line}");
        assert!(ours.unwrap().starts_with("# Empty: "), "{line}");
        let left = world.plan().left.join("\n");
        assert!(
            left.contains("a line of /etc/ganesha/ganesha.conf includes it")
                && !left.contains("ganesha.conf has been changed"),
            "{left}"
        );
    }
    // A line that was hers before.
    let mut world = with_ganesha("");
    world.made.files.remove(Path::new(GANESHA));
    world.files.insert(GANESHA.into(), format!("{LINE}{export}").into());
    let [main, ours] = of_ganesha(&world);
    assert!(main.is_none() && ours.unwrap().starts_with("# Empty: "));
    // A copy of what it was before that is lost.
    let mut world = with_ganesha(&format!("# hers\n{LINE}"));
    world.files.retain(|path, _| !path.ends_with("1-ganesha.conf") && !path.ends_with("2-ganesha.conf"));
    assert_eq!(of_ganesha(&world), [Some("# hers\n".to_owned()), goes]);
}
