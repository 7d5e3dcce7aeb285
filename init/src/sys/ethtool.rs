//! Wake-on-LAN by `SIOCETHTOOL` (linux/ethtool.h): what a NIC can, what it is set to, setting it.
#![allow(unsafe_code, reason = "ioctl(2) takes pointers")]

use std::io;
use std::mem;

use anyhow::Context as _;
use ghost_contract::report::NotArmed;
use nix::errno::Errno;
use nix::libc::{self, c_char};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::{AsRawFd, OwnedFd};

use super::interface;
use crate::task::WakeOnLan;

const GET_WAKE_ON_LAN: u32 = 0x0000_0005;
const SET_WAKE_ON_LAN: u32 = 0x0000_0006;
const MAGIC: u32 = 1 << 5;
/// The letters of ethtool(8) for the bits of `wolopts`, from the lowest.
const LETTERS: [char; 8] = ['p', 'u', 'm', 'b', 'a', 'g', 's', 'f'];

#[repr(C)]
#[derive(Debug, Default)]
struct WolInfo {
    cmd: u32,
    supported: u32,
    wolopts: u32,
    sopass: [u8; 6],
}

/// Switches the magic packet on and reads it back.
pub(crate) fn arm(interface: &str) -> anyhow::Result<WakeOnLan> {
    let name = interface::kernel_name(interface)?;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .context("cannot open a socket")?;
    let mut info = WolInfo { cmd: GET_WAKE_ON_LAN, ..WolInfo::default() };
    if let Err(error) = exchange(&socket, name, &mut info) {
        return Ok(not_armed(
            NotArmed::Unsupported,
            format!("the driver does not support Wake-on-LAN: {error}"),
        ));
    }
    if info.supported & MAGIC == 0 {
        let can = letters(info.supported);
        return Ok(not_armed(
            NotArmed::Unsupported,
            format!("it supports '{can}', but not 'g' (magic packet)"),
        ));
    }
    info = WolInfo { cmd: SET_WAKE_ON_LAN, wolopts: MAGIC, ..WolInfo::default() };
    if let Err(error) = exchange(&socket, name, &mut info) {
        return Ok(not_armed(NotArmed::Refused, format!("the driver refused: {error}")));
    }
    info = WolInfo { cmd: GET_WAKE_ON_LAN, ..WolInfo::default() };
    match exchange(&socket, name, &mut info) {
        Ok(()) if info.wolopts & MAGIC != 0 => Ok(WakeOnLan::Armed(letters(info.wolopts))),
        Ok(()) => {
            Ok(not_armed(NotArmed::NotKept, format!("the setting reads back as '{}'", letters(info.wolopts))))
        }
        Err(error) => Ok(not_armed(NotArmed::NotKept, format!("the setting cannot be read back: {error}"))),
    }
}

const fn not_armed(reason: NotArmed, detail: String) -> WakeOnLan {
    WakeOnLan::NotArmed { reason, detail }
}

/// As ethtool(8) writes them: `d` for none.
fn letters(options: u32) -> String {
    let set = |(bit, letter): (usize, &char)| (options >> bit & 1 == 1).then_some(*letter);
    let letters: String = LETTERS.iter().enumerate().filter_map(set).collect();
    if letters.is_empty() { "d".to_owned() } else { letters }
}

fn exchange(socket: &OwnedFd, name: [c_char; libc::IFNAMSIZ], info: &mut WolInfo) -> io::Result<()> {
    // SAFETY: `ifreq` is a plain C structure for which all zeroes are a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name = name;
    request.ifr_ifru.ifru_data = std::ptr::from_mut(info).cast();
    // SAFETY: the socket is open; `request` and the structure that it points to live until the call returns, and
    // have the layout that SIOCETHTOOL wants for the command in `cmd`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_are_those_of_ethtool() {
        assert_eq!(letters(MAGIC), "g");
        assert_eq!(letters(0b0011_1111), "pumbag");
        assert_eq!(letters(0), "d");
    }

    #[test]
    fn a_loopback_knows_no_wake_on_lan() {
        let result = arm("lo").unwrap();
        assert!(matches!(result, WakeOnLan::NotArmed { reason: NotArmed::Unsupported, .. }), "{result:?}");
    }
}
