//! Given a failure at any system call of an edit, what does the configuration look like, and can it be put back?

mod meanwhile;

use std::fs;
use std::time::Duration;

use super::*;
use crate::sys::atomic::Effect;

const CONFIGURATION: &str = "host john { hardware ethernet 0:a:eb:1:2:3; fixed-address 192.168.7.2; filename \"nobackup\"; } # kept\n\
     host joe { hardware ethernet 0:a:eb:1:2:4; fixed-address 192.168.7.3; filename \"own\"; }";

/// Fails one kind of call as a full disk would.
struct FullAt(Option<Effect>);

impl Effects for FullAt {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if self.0 == Some(effect) { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
    }
}

struct Server {
    folder: tempfile::TempDir,
    site: Site,
}

impl Server {
    fn new(check: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let ghostrc = format!(
            "PXEADDR=192.168.7.1\nPXEBASE={path}\nGHSTBASE={path}\nGHSTNFS=192.168.7.1:{path}\nDHCPD=/bin/true\n\
             DHCPDCONF={path}/dhcpd.conf\nDHCPDCHECK={check}\nSTATEDIR={path}/state\n"
        );
        fs::write(folder.path().join("ghostrc"), ghostrc).unwrap();
        fs::write(folder.path().join("dhcpd.conf"), CONFIGURATION).unwrap();
        let site = Site::open(&folder.path().join("ghostrc"), Duration::from_secs(5)).unwrap();
        Self { folder, site }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configured(&self) -> String {
        fs::read_to_string(&self.site.dhcp_configuration).unwrap()
    }

    fn configure(&self, text: &str) {
        fs::write(&self.site.dhcp_configuration, text).unwrap();
    }

    /// Swaps these hosts; what was intended of which.
    fn edit(
        &self,
        hosts: &[&str],
        full_at: Option<Effect>,
    ) -> (anyhow::Result<Edited<()>>, Vec<(HostName, Swap)>) {
        let mut intended = Vec::new();
        let mut intend = |host: &HostName, swap: &Swap| {
            intended.push((host.clone(), swap.clone()));
            Ok(())
        };
        let (mut waiting, mut effects) = (|_: &str| (), FullAt(full_at));
        let mut offers = Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects);
        let result = offers.swap(&names(hosts), &mut intend);
        (result, intended)
    }

    /// The same for john alone, with his result.
    fn swap(&self, full_at: Option<Effect>) -> (anyhow::Result<()>, Vec<(HostName, Swap)>) {
        let (result, intended) = self.edit(&["john"], full_at);
        (result.and_then(|edited| edited.each.into_iter().collect()), intended)
    }

    fn revert_all(
        &self,
        swapped: &[(HostName, Swap)],
        full_at: Option<Effect>,
    ) -> anyhow::Result<Edited<Reverted>> {
        let (mut waiting, mut effects) = (|_: &str| (), FullAt(full_at));
        Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects).revert(swapped)
    }

    fn revert(&self, swapped: &[(HostName, Swap)], full_at: Option<Effect>) -> anyhow::Result<Reverted> {
        self.revert_all(swapped, full_at)?.each.remove(0)
    }
}

fn names(hosts: &[&str]) -> Vec<HostName> {
    hosts.iter().map(|host| host.parse().unwrap()).collect()
}

#[test]
fn a_swap_changes_one_value_and_a_revert_puts_it_back() {
    let server = Server::new("/bin/true");
    let (result, intended) = server.swap(None);
    result.unwrap();
    assert_eq!(server.configured(), CONFIGURATION.replace("nobackup", "pxelinux.0"));
    assert_eq!(server.revert(&intended, None).unwrap(), Reverted::Restored);
    assert_eq!(server.configured(), CONFIGURATION);
}

#[test]
fn several_hosts_are_swapped_and_reverted_by_one_edit_each() {
    let server = Server::new("/bin/true");
    let (result, intended) = server.edit(&["joe", "john"], None);
    assert!(result.unwrap().each.iter().all(Result::is_ok));
    let both = CONFIGURATION.replace("nobackup", "pxelinux.0").replace("own", "pxelinux.0");
    assert_eq!(server.configured(), both);
    let reverted = server.revert_all(&intended, None).unwrap();
    let reverted: Vec<_> = reverted.each.into_iter().map(Result::unwrap).collect();
    assert_eq!(reverted, [Reverted::Restored, Reverted::Restored]);
    assert_eq!(server.configured(), CONFIGURATION);
    assert_eq!(fs::read_to_string(server.path("state/restart/newest")).unwrap(), "2\n", "one ticket an edit");
}

#[test]
fn hosts_of_several_files_are_checked_together_and_edited_in_theirs() {
    let server = Server::new("/bin/true");
    let (main, included) = (
        format!("include \"{}\";\n{CONFIGURATION}", server.path("more").display()),
        "host jim { hardware ethernet 0:a:eb:1:2:5; fixed-address 192.168.7.4; filename \"x\"; }",
    );
    server.configure(&main);
    fs::write(server.path("more"), included).unwrap();
    let (result, intended) = server.edit(&["john", "jim"], None);
    assert!(result.unwrap().each.iter().all(Result::is_ok));
    assert_eq!(server.configured(), main.replace("nobackup", "pxelinux.0"));
    assert_eq!(fs::read_to_string(server.path("more")).unwrap(), included.replace("\"x\"", "\"pxelinux.0\""));
    server.revert_all(&intended, None).unwrap();
    assert_eq!(
        (server.configured().as_str(), fs::read_to_string(server.path("more")).unwrap().as_str()),
        (main.as_str(), included)
    );
}

#[test]
fn a_host_that_cannot_be_swapped_does_not_keep_the_others_from_it() {
    let server = Server::new("/bin/true");
    let (result, intended) = server.edit(&["nobody", "john"], None);
    let each = result.unwrap().each;
    assert!(each[0].as_ref().unwrap_err().to_string().starts_with("host nobody is not in"), "{each:?}");
    assert!(each[1].is_ok());
    assert_eq!(intended.len(), 1);
    assert_eq!(server.configured(), CONFIGURATION.replace("nobackup", "pxelinux.0"));
}

#[test]
fn whichever_call_of_a_swap_fails_it_can_be_put_back() {
    for effect in Effect::ALL {
        let server = Server::new("/bin/true");
        let (result, intended) = server.swap(Some(effect));
        assert!(result.is_err(), "{effect:?}");
        // Without an intent nothing was in place that would have to be undone.
        if !intended.is_empty() {
            server.revert(&intended, None).unwrap();
        }
        assert_eq!(server.configured(), CONFIGURATION, "{effect:?}");
    }
}

#[test]
fn whichever_call_of_a_revert_fails_the_next_one_succeeds() {
    for effect in Effect::ALL {
        let server = Server::new("/bin/true");
        let swapped = server.swap(None).1;
        assert!(server.revert(&swapped, Some(effect)).is_err(), "{effect:?}");
        server.revert(&swapped, None).unwrap();
        assert_eq!(server.configured(), CONFIGURATION, "{effect:?}");
    }
}

#[test]
fn what_the_checker_does_not_accept_is_never_in_place() {
    for (checker, words) in [
        ("/bin/false", "the DHCP server would not accept the edited configuration"),
        ("/nonexistent/dhcpd", "the edited configuration could not be checked, so it is not used"),
    ] {
        let server = Server::new(checker);
        let (result, intended) = server.swap(None);
        let error = result.unwrap_err();
        assert_eq!((error.to_string().as_str(), Exit::of(&error)), (words, Exit::Configuration));
        assert_eq!((server.configured().as_str(), intended), (CONFIGURATION, Vec::new()));
    }
}

#[test]
fn an_intent_that_cannot_be_written_down_is_not_carried_out() {
    let server = Server::new("/bin/true");
    let (mut waiting, mut effects) = (|_: &str| (), FullAt(None));
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let mut intend =
        |host: &HostName, _: &Swap| if host.as_str() == "john" { Err(anyhow!("no room")) } else { Ok(()) };
    let each = offers.swap(&names(&["john", "joe"]), &mut intend).unwrap().each;
    assert!(each[0].is_err() && each[1].is_ok(), "{each:?}");
    assert_eq!(
        server.configured(),
        CONFIGURATION.replace("own", "pxelinux.0"),
        "joe's intent is written down"
    );
}

#[test]
fn an_entry_that_somebody_else_has_changed_is_left_alone() {
    let server = Server::new("/bin/true");
    let swapped = server.edit(&["john", "joe"], None).1;
    let theirs = server.configured().replacen("pxelinux.0", "theirs", 1);
    server.configure(&theirs);
    let each = server.revert_all(&swapped, None).unwrap().each;
    assert!(
        matches!(each[0], Ok(Reverted::LeftAlone(_))) && matches!(each[1], Ok(Reverted::Restored)),
        "{each:?}"
    );
    assert_eq!(server.configured(), CONFIGURATION.replace("nobackup", "theirs"));
}

#[test]
fn a_revert_needs_no_state_folder() {
    let server = Server::new("/bin/true");
    let swapped = server.swap(None).1;
    fs::remove_dir_all(server.path("state")).unwrap();
    fs::write(server.path("state"), "a file where a folder should be").unwrap();
    assert_eq!(server.revert(&swapped, None).unwrap(), Reverted::Restored);
    assert_eq!(server.configured(), CONFIGURATION);
}

/// Lets another program write the file at the moment when ours is in place.
struct OverwrittenAfterRename(PathBuf);

impl Effects for OverwrittenAfterRename {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if effect == Effect::SyncFolder {
            fs::write(&self.0, CONFIGURATION.replace("nobackup", "pxelinux.0"))?;
        }
        Ok(())
    }
}

#[test]
fn nothing_is_called_reverted_that_is_not_there_when_it_is_read_again() {
    let server = Server::new("/bin/true");
    let swapped = server.swap(None).1;
    let mut effects = OverwrittenAfterRename(server.site.dhcp_configuration.clone());
    let mut waiting = |_: &str| ();
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let each = offers.revert(&swapped).unwrap().each;
    let said = each[0].as_ref().unwrap_err().to_string();
    assert!(said.ends_with("read again it still does not offer the host's own file"), "{said}");
}

#[test]
fn hosts_that_are_offered_our_boot_file_are_found_with_their_places() {
    let server = Server::new("/bin/true");
    let booting = || {
        let configuration = server.site.dhcp().read().unwrap();
        configuration.booting(&|_, offered| offered == b"pxelinux.0").collect::<Vec<_>>()
    };
    assert_eq!(booting(), []);
    server.swap(None).0.unwrap();
    let [john] = &booting()[..] else { panic!("{:?}", booting()) };
    assert_eq!((john.name.as_str(), john.boot_file.as_str()), ("john", "pxelinux.0"));
    assert!(john.mac.is_some() && john.place.to_string().ends_with("dhcpd.conf:1:81"), "{john:?}");
}

#[test]
fn a_file_with_two_names_is_said() {
    let server = Server::new("/bin/true");
    fs::hard_link(&server.site.dhcp_configuration, server.path("other-name")).unwrap();
    let remarks = server.edit(&["john"], None).0.unwrap().remarks;
    assert!(remarks.len() == 1 && remarks[0].contains("hard links"), "{remarks:?}");
}

impl Server {
    /// Swaps john, lets a person edit the configuration, and reverts.
    fn edited(&self, edit: impl Fn(&str) -> String) -> anyhow::Result<Reverted> {
        let swapped = self.swap(None).1;
        self.configure(&edit(&self.configured()));
        self.revert(&swapped, None)
    }
}

#[test]
fn an_entry_that_is_moved_renamed_or_copied_while_it_is_swapped_is_put_back_where_it_is() {
    type Rewrite = fn(&str) -> String;
    let edits: [Rewrite; 3] = [
        |now| now.replace("host john", "host john-new"),
        |now| now.replace("host john", "group { host john").replace("} # kept", "} } # kept"),
        |now| now.replace("host john", "# host john { filename \"pxelinux.0\"; }\nhost john2"),
    ];
    for edit in edits {
        let server = Server::new("/bin/true");
        assert_eq!(server.edited(edit).unwrap(), Reverted::Restored);
        assert_eq!(server.configured(), edit(CONFIGURATION));
    }
}

#[test]
fn an_entry_that_is_moved_into_another_file_or_copied_there_is_put_back_there() {
    for (main, is_copied) in [("", false), (CONFIGURATION, true)] {
        let server = Server::new("/bin/true");
        let more = server.path("more");
        let main = format!("{main}\ninclude \"{}\";\n", more.display());
        let reverted = server.edited(|now| {
            fs::write(&more, now).unwrap();
            main.replace("nobackup", "pxelinux.0")
        });
        assert_eq!(reverted.unwrap(), Reverted::Restored, "copied: {is_copied}");
        assert_eq!(server.configured(), main);
        assert_eq!(fs::read_to_string(&more).unwrap(), CONFIGURATION);
    }
}

#[test]
fn a_copy_that_is_included_instead_of_the_swapped_file_is_put_back() {
    let server = Server::new("/bin/true");
    let (hosts, copy) = (server.path("hosts"), server.path("copy"));
    fs::write(&hosts, CONFIGURATION).unwrap();
    server.configure(&format!("include \"{}\";", hosts.display()));
    let reverted = server.edited(|_| {
        fs::copy(&hosts, &copy).unwrap();
        format!("include \"{}\";", copy.display())
    });
    assert_eq!(reverted.unwrap(), Reverted::Restored);
    assert_eq!([&hosts, &copy].map(|file| fs::read_to_string(file).unwrap()), [CONFIGURATION; 2]);
}

#[test]
fn what_may_still_be_offered_the_boot_file_is_not_called_reverted() {
    type Rewrite = fn(&str) -> String;
    let edits: [(Rewrite, &str); 6] = [
        (|_| String::new(), "does not say any more what host john boots, nor what one with"),
        (|now| now[..20].to_owned(), "dhcpd.conf:1:"),
        (|now| now.replace("host john", "host \"john\""), "dhcpd.conf:1:"),
        (
            |now| {
                let own = now.replacen("filename \"pxelinux.0\";", "", 1);
                format!("group {{ filename \"pxelinux.0\"; {}", own.replace("} # kept", "} } # kept"))
            },
            "dhcpd.conf:1:9: host john has no filename of its own",
        ),
        (
            |now| format!("filename \"pxelinux.0\";\n{}", now.replacen("filename \"pxelinux.0\";", "", 1)),
            "dhcpd.conf:1:1: host john has no filename of its own",
        ),
        (
            |now| {
                let own = now.replacen("filename \"pxelinux.0\";", "", 1);
                format!(
                    "subnet 192.168.7.0 netmask 255.255.255.0 {{ if known {{ filename \"pxelinux.0\"; }} }}\n{own}"
                )
            },
            "dhcpd.conf:1:55: host john has no filename of its own",
        ),
    ];
    for (edit, said) in edits {
        let server = Server::new("/bin/true");
        let error = server.edited(edit).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Configuration, "{error:#}");
        assert!(format!("{error:#}").contains(said), "{said}: {error:#}");
    }
}

#[test]
fn a_host_that_inherits_another_boot_file_than_ours_is_left_alone() {
    for around in [
        "filename \"pxelinux.0\"; group { filename \"nobackup\"; ",
        "group { filename \"pxelinux.0\"; } group { ",
        "subnet 192.168.9.0 netmask 255.255.255.0 { filename \"pxelinux.0\"; } group { ",
    ] {
        let server = Server::new("/bin/true");
        let reverted = server.edited(|now| {
            let own = now.replacen("filename \"pxelinux.0\";", "", 1);
            format!("{around}{}", own.replace("} # kept", "} } # kept"))
        });
        assert!(matches!(reverted, Ok(Reverted::LeftAlone(_))), "{around}: {reverted:?}");
    }
}

/// Lets a person save the file at this moment, this often.
struct SavedMeanwhileBy(PathBuf, Effect, u8);

impl Effects for SavedMeanwhileBy {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if effect == self.1 && self.2 > 0 {
            self.2 -= 1;
            let now = fs::read_to_string(&self.0)?;
            fs::write(&self.0, format!("{now}\n# {}", self.2))?;
        }
        Ok(())
    }
}
