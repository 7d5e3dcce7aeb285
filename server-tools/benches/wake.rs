//! How much of the processor it takes to wake 1,000 clients: both magic packets of each built and sent, out of
//! an interface in a network namespace of its own, so that nothing reaches a network. Needs root.
//!
//! `kernel` sends the same bytes, made beforehand, through the same sockets: the part that no program can save.
//! `ether-wake` is the HOWTO's way, a process for each client and the frame only, run once; it is left out where that
//! program is not installed.
//!
//! Prints a table; asserts nothing. Medians of user and system time (getrusage(2)), in milliseconds.

use std::hint::black_box;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use ghost_contract::MacAddress;
use ghostctl::sys::interface::Interface;
use ghostctl::sys::packet::PacketSocket;
use ghostctl::wake::{self, Waker};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

const CLIENTS: u32 = 1_000;
const RUNS: usize = 15;
const TARGET_MILLIS: f64 = 50.0;
const INTERFACE: &str = "wake0";
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    if !nix::unistd::geteuid().is_root() {
        println!("wake: left out, since a network namespace and raw frames need root");
        return Ok(());
    }
    // It is gone when this process ends.
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("cannot make a network namespace: {error}"))?;
    println!("interface: a {} in a namespace of its own", make_interface()?);

    let interface = Interface::towards(CLIENT)?;
    let macs: Vec<MacAddress> = (0..CLIENTS).map(mac).collect();
    let built = median(UsageWho::RUSAGE_SELF, || {
        for mac in &macs {
            black_box((wake::frame(interface.mac, *mac, None), wake::magic(*mac, None)));
        }
        Ok(())
    })?;
    let woken = median(UsageWho::RUSAGE_SELF, || {
        let waker = Waker::open(&interface)?;
        macs.iter().try_for_each(|mac| Ok(waker.wake(*mac, None, None)?))
    })?;
    let kernel = kernel(&interface, &macs)?;

    println!("{:>12} {:>9} {:>10} {:>12}", "", "ms", "x kernel", "x 50 ms");
    row("build", built, kernel);
    row("build+send", woken, kernel);
    row("kernel", kernel, kernel);
    match ether_wake(&macs)? {
        Some(time) => row("ether-wake", time, kernel),
        None => println!("{:>12} is not installed", "ether-wake"),
    }
    Ok(())
}

/// Makes the interface that routes to the clients, of the first kind that this kernel knows, and says which.
/// Nothing is plugged into either.
fn make_interface() -> Outcome<&'static str> {
    let kinds = ["dummy", "bridge"];
    let made = |kind: &&&str| ip(&["link", "add", INTERFACE, "type", kind]).is_ok();
    let kind = kinds.iter().find(made).ok_or("cannot make an interface of type dummy or bridge")?;
    ip(&["address", "add", "192.168.7.1/25", "broadcast", "+", "dev", INTERFACE])?;
    ip(&["link", "set", INTERFACE, "up"])?;
    Ok(kind)
}

fn ip(arguments: &[&str]) -> Outcome {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
}

fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([2, 0, a, b, c, d])
}

fn kernel(interface: &Interface, macs: &[MacAddress]) -> Outcome<Duration> {
    let frames = PacketSocket::open(interface.index, wake::ETHERTYPE)?;
    let datagrams = UdpSocket::bind((interface.address.ok_or("no address")?.0, 0))?;
    datagrams.set_broadcast(true)?;
    let packets: Vec<_> =
        macs.iter().map(|mac| (wake::frame(interface.mac, *mac, None), wake::magic(*mac, None))).collect();
    median(UsageWho::RUSAGE_SELF, || {
        for (frame, datagram) in &packets {
            frames.send(frame)?;
            datagrams.send_to(datagram, (interface.broadcast().ok_or("no broadcast address")?, 9))?;
        }
        Ok(())
    })
}

/// Nothing if that program is not there.
fn ether_wake(macs: &[MacAddress]) -> Outcome<Option<Duration>> {
    let wake =
        |mac: &MacAddress| Command::new("etherwake").args(["-i", INTERFACE, &mac.to_string()]).status();
    if wake(&mac(0)).is_err() {
        return Ok(None);
    }
    let start = used(UsageWho::RUSAGE_CHILDREN)?;
    for mac in macs {
        let status = wake(mac)?;
        if !status.success() {
            return Err(format!("etherwake: {status}").into());
        }
    }
    Ok(Some(used(UsageWho::RUSAGE_CHILDREN)?.saturating_sub(start)))
}

fn row(name: &str, time: Duration, kernel: Duration) {
    let millis = time.as_secs_f64() * 1e3;
    let ratio = time.as_secs_f64() / kernel.as_secs_f64();
    println!("{name:>12} {millis:>9.2} {ratio:>10.2} {:>12.2}", millis / TARGET_MILLIS);
}

fn median(who: UsageWho, mut work: impl FnMut() -> Outcome) -> Outcome<Duration> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let start = used(who)?;
        work()?;
        times.push(used(who)?.saturating_sub(start));
    }
    times.sort();
    Ok(times[RUNS / 2])
}

fn used(who: UsageWho) -> Outcome<Duration> {
    let usage = getrusage(who)?;
    Ok(duration(usage.user_time())? + duration(usage.system_time())?)
}

fn duration(time: TimeVal) -> Outcome<Duration> {
    let micros = u64::try_from(time.tv_usec())?;
    Ok(Duration::from_secs(u64::try_from(time.tv_sec())?) + Duration::from_micros(micros))
}
