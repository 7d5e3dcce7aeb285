//! ethers(5): a hardware address and a name a line. It has no addresses.

use super::Read;

pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let start = at + line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        at += line.len();
        let text = String::from_utf8_lossy(line);
        let text = text.split('#').next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        match *words {
            [] => {}
            // A name of numbers only would be an address (ethers(5)).
            [_, name] if name.parse::<std::net::Ipv4Addr>().is_ok() => {
                read.faults.push((start, format!("{name} is an address, and a client needs a name")));
            }
            [mac, name] => read.take(start, name, mac, None),
            _ => read.faults.push((start, "a line has a hardware address and a name".to_owned())),
        }
    }
    read
}
