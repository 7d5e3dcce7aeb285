//! A client that never comes up is heard on its way, and what is known of it is told.

use std::time::Duration;

use ghost_contract::early;

use super::boot_server::{BootServer, said};

/// A datagram of the client pc`number` to the boot server, as a frame.
fn frame(number: u8, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, number, 8, 0]);
    let length = |more: usize| u16::try_from(more + payload.len()).unwrap().to_be_bytes();
    frame.extend([0x45, 0]);
    frame.extend(length(28));
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend([192, 168, 7, number, 192, 168, 7, 1]);
    frame.extend([2048_u16.to_be_bytes(), port.to_be_bytes(), length(8), [0; 2]].concat());
    frame.extend(payload);
    frame
}

#[test]
fn what_stood_in_a_clients_way_is_told_and_not_what_another_one_says() {
    let server = BootServer::with_hosts(2);
    let before = server.configured();
    let mut running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    let asks = frame(2, 69, b"\0\x01initrd\0octet\0");
    let says = |number: u8, words: &str| frame(number, early::PORT, &early::datagram(words));
    while running.try_wait().unwrap().is_none() {
        for frame in [&asks, &says(2, "cannot mount the root \x1b[2J"), &says(1, "another one")] {
            server.network().send_frame(frame);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = running.wait_with_output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(75), "{told}");
    for words in [
        "asks for 'initrd' over TFTP",
        "ghost-init says: cannot mount the root",
        "and said last: cannot mount the root",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    assert!(!told.contains("another one") && !told.contains('\x1b'), "{told}");
    assert_eq!(server.configured(), before);
}
