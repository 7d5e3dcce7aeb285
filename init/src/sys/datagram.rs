//! Sends the boot server a word by UDP. Never waits: a word that cannot be sent at once is lost.

use std::net::{Ipv4Addr, UdpSocket};

use ghost_contract::early;

pub(crate) fn send(to: Ipv4Addr, words: &str) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    socket.send_to(&early::datagram(words), (to, early::PORT))?;
    Ok(())
}
