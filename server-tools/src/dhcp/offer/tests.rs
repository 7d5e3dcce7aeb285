//! Given a failure at any system call of an edit, what does the configuration look like, and can it be put back?

use super::*;
use crate::sys::atomic::Effect;

const CONFIGURATION: &str =
    "host john { hardware ethernet 0:a:eb:1:2:3; fixed-address 192.168.7.2; filename \"nobackup\"; } # kept";

/// Fails one kind of call as a full disk would.
struct FullAt(Option<Effect>);

impl Effects for FullAt {
    fn before(&mut self, effect: Effect) -> io::Result<()> {
        if self.0 == Some(effect) { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
    }
}

struct Server {
    _folder: tempfile::TempDir,
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
        Self { _folder: folder, site }
    }

    fn configured(&self) -> String {
        fs::read_to_string(&self.site.dhcp_configuration).unwrap()
    }

    fn swap(&self, full_at: Option<Effect>) -> (Result<Ticket, OfferError>, Option<Swap>) {
        let mut intended = None;
        let mut intend = |swap: Swap| {
            intended = Some(swap);
            Ok(())
        };
        let (mut waiting, mut effects) = (|_: &str| (), FullAt(full_at));
        let mut offers = Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects);
        let result = offers.swap(&"john".parse().unwrap(), &mut intend);
        (result, intended)
    }

    fn revert(&self, swap: &Swap, full_at: Option<Effect>) -> Result<Reverted, OfferError> {
        let (mut waiting, mut effects) = (|_: &str| (), FullAt(full_at));
        let mut offers = Offers::new(&self.site, "a test".to_owned(), &mut waiting, &mut effects);
        offers.revert(&"john".parse().unwrap(), swap).map(|(became, _)| became)
    }
}

#[test]
fn a_swap_changes_one_value_and_a_revert_puts_it_back() {
    let server = Server::new("/bin/true");
    let (result, intended) = server.swap(None);
    result.unwrap();
    assert_eq!(server.configured(), CONFIGURATION.replace("nobackup", "pxelinux.0"));
    assert_eq!(server.revert(&intended.unwrap(), None).unwrap(), Reverted::Restored);
    assert_eq!(server.configured(), CONFIGURATION);
}

#[test]
fn whichever_call_of_a_swap_fails_it_can_be_put_back() {
    for effect in Effect::ALL {
        let server = Server::new("/bin/true");
        let (result, intended) = server.swap(Some(effect));
        assert!(result.is_err(), "{effect:?}");
        match intended {
            // Nothing was in place yet that would have to be undone.
            None => assert_eq!(server.configured(), CONFIGURATION, "{effect:?}"),
            Some(swap) => {
                server.revert(&swap, None).unwrap();
                assert_eq!(server.configured(), CONFIGURATION, "{effect:?}");
            }
        }
    }
}

#[test]
fn whichever_call_of_a_revert_fails_the_next_one_succeeds() {
    for effect in Effect::ALL {
        let server = Server::new("/bin/true");
        let swap = server.swap(None).1.unwrap();
        assert!(server.revert(&swap, Some(effect)).is_err(), "{effect:?}");
        server.revert(&swap, None).unwrap();
        assert_eq!(server.configured(), CONFIGURATION, "{effect:?}");
    }
}

#[test]
fn what_the_checker_does_not_accept_is_never_in_place() {
    let server = Server::new("/bin/false");
    let (result, intended) = server.swap(None);
    assert!(matches!(result, Err(OfferError::Check(_))), "{result:?}");
    assert_eq!((server.configured().as_str(), intended), (CONFIGURATION, None));
}

#[test]
fn an_intent_that_cannot_be_written_down_is_not_carried_out() {
    let server = Server::new("/bin/true");
    let (mut waiting, mut effects) = (|_: &str| (), FullAt(None));
    let mut offers = Offers::new(&server.site, "a test".to_owned(), &mut waiting, &mut effects);
    let result = offers.swap(&"john".parse().unwrap(), &mut |_| Err(JournalError::Orphaned));
    assert!(result.is_err());
    assert_eq!(server.configured(), CONFIGURATION);
}

#[test]
fn an_entry_that_somebody_else_has_changed_is_left_alone() {
    let server = Server::new("/bin/true");
    let swap = server.swap(None).1.unwrap();
    let theirs = server.configured().replace("pxelinux.0", "theirs");
    fs::write(&server.site.dhcp_configuration, &theirs).unwrap();
    assert!(matches!(server.revert(&swap, None).unwrap(), Reverted::LeftAlone(_)));
    assert_eq!(server.configured(), theirs);
}
