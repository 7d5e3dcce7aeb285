//! A client that never comes up is heard on its way, and what is known of it is told.

use std::fs;
use std::time::Duration;

use ghost_contract::early;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Client, Gate};

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

/// A neighbour may have sent it in its name, so that it must do no harm to a client that goes on reporting.
#[test]
fn a_client_that_asks_for_a_file_while_it_is_at_work_is_told_of_and_its_job_goes_on() {
    let server = BootServer::with_hosts(2);
    let (comes_up, may_end) = (Gate::default(), Gate::default());
    let _client = Client::working_until(&server, 2, comes_up.is_open(), may_end.is_open());
    let running = server.start(&["test", "pc2"]);
    server.wait_until_swapped();
    comes_up.open();
    let journal = server.journal().remove(0);
    let is_at_work = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"phase\":\"imaging\""));
    wait_until("the client is at work", is_at_work);
    server.network().send_frame(&frame(2, 69, b"\0\x01nobackup\0octet\0"));
    may_end.open();
    let output = running.wait_with_output().unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let words = "pc2: warning: it asks for 'nobackup' over TFTP, as a machine does that was reset";
    assert_eq!(told.matches(words).count(), 1, "{told}");
}
