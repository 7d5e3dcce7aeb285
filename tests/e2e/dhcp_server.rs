//! The DHCP server does not come back after an edit. The administrator reads what the server says, and the configuration
//! is what it was.

use crate::stage::{SOON, Stage};

#[test]
fn a_dhcp_server_that_does_not_come_back_finds_its_old_configuration() {
    let stage = Stage::new("dhcp-server");
    let mended = stage.dhcpd_conf().unwrap();
    // Its own checker finds no fault with this, and it does not start: there is no subnet for its interface.
    let elsewhere =
        String::from_utf8(mended.clone()).unwrap().replace("subnet 192.168.7.0", "subnet 192.168.8.0");
    std::fs::write(stage.folder().dhcpd_conf(), &elsewhere).unwrap();
    let calls = stage.dhcpd_service_calls().unwrap();

    let swap = stage.ghostctl(&["dhcp", "swap", "john"]).unwrap();
    assert_eq!(swap.wait(SOON).unwrap(), 78, "{}", swap.text());
    assert!(swap.text().contains("dhcpd did not start"), "{}", swap.text());
    stage.assert_dhcpd_conf(elsewhere.as_bytes());
    let since = stage.dhcpd_service_calls().unwrap().split_off(calls.len());
    assert_eq!(since, ["restart", "restart"], "once more with what there was before");

    std::fs::write(stage.folder().dhcpd_conf(), &mended).unwrap();
    let recover = stage.ghostctl(&["recover"]).unwrap();
    assert_eq!(recover.wait(SOON).unwrap(), 0, "{}", recover.text());
    for verb in ["swap", "revert"] {
        let ghostctl = stage.ghostctl(&["dhcp", verb, "john"]).unwrap();
        assert_eq!(ghostctl.wait(SOON).unwrap(), 0, "{}", ghostctl.text());
    }
    stage.assert_dhcpd_conf(&mended);
}
