//! A network of its own for a boot server under test, 192.168.7.0/25 as in the HOWTO, with the servers beside it that
//! `ghostctl` asks before a job: TFTP, the portmapper, mountd and NFS. They say what the files in the boot server's
//! folder tell them to, and nothing else.
//!
//! ```text
//! name space of its own                      another one, if wanted
//! br0 192.168.7.1/25 ── switch               switch 192.168.7.126 ── lo 192.168.9.2
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use ghostctl::sys::packet::PacketSocket;
use nix::sched::{CloneFlags, setns, unshare};

const BOOT_SERVER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
const SET_UP: &str = "ip link set lo up && ip link add br0 type veth peer name switch && ip link set switch up && \
    ip addr add 192.168.7.1/25 dev br0 && ip link set br0 up";
/// How often the servers look whether they are still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const TFTP: u16 = 69;
const PORTMAPPER: u16 = 111;
const NFS: u16 = 2049;

/// A network name space whose servers run until it is dropped.
pub(crate) struct Network {
    space: File,
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// One whose servers serve what is below this folder: the files in `tftp`, the paths that `exports` lists.
    pub(crate) fn new(folder: &Path) -> Self {
        let gone = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let (folder, over) = (folder.to_owned(), Arc::clone(&gone));
        let thread = std::thread::spawn(move || {
            let space = own_space(SET_UP);
            let tftp = UdpSocket::bind((BOOT_SERVER, TFTP)).unwrap();
            let rpc = [PORTMAPPER, NFS].map(|port| TcpListener::bind((BOOT_SERVER, port)).unwrap());
            ready.send(space).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| serve_tftp(&tftp, &folder, &over));
                serve_rpc(&rpc, &folder, &over);
            });
        });
        let space =
            is_ready.recv().expect("the network of the tests needs root, or 'unshare --map-root-user'");
        Self { space, gone, thread: Some(thread) }
    }

    /// What has to stand before a command so that it runs there, as the process that was started.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", name(&self.space))).arg(program);
        command
    }

    /// The same for a DHCP server, which finds the folder `copy` in place of `dhcp` if there is one.
    pub(crate) fn dhcp_server(&self, folder: &Path, program: &str) -> Command {
        let mut command = self.command("sh");
        command.args(["-ec", &in_a_copy(folder), "sh", program]);
        command
    }

    /// Puts a gateway at the other end of the wire, behind which 192.168.9.2 is on and answers to echoes.
    pub(crate) fn with_a_client_behind_a_gateway(&self) -> File {
        let behind = std::thread::spawn(|| own_space("ip link set lo up")).join().unwrap();
        let there = name(&behind);
        self.run(&format!(
            "ip link set switch netns {there} && ip route add 192.168.9.0/24 via 192.168.7.126"
        ));
        let beyond = "ip addr add 192.168.7.126/25 dev switch && ip link set switch up && ip addr add 192.168.9.2/32 dev lo";
        let done =
            Command::new("nsenter").args([&format!("--net={there}"), "sh", "-c", beyond]).status().unwrap();
        assert!(done.success());
        behind
    }

    /// Has the client at 192.168.7.`number` be on, and answer who it is; off again when `ip link set switch down` is run there.
    pub(crate) fn with_the_client_on(&self, number: u8) -> File {
        let client = std::thread::spawn(|| own_space("ip link set lo up")).join().unwrap();
        let there = name(&client);
        self.run(&format!("ip link set switch netns {there}"));
        let on = format!(
            "ip link set switch address 02:00:00:00:00:{number:02x} && ip addr add 192.168.7.{number}/25 dev switch && ip link set switch up"
        );
        run_in(&client, &on);
        client
    }

    /// Puts another machine on the wire, at 192.168.7.126, and gives its name space.
    pub(crate) fn with_another_machine(&self) -> File {
        let machine = std::thread::spawn(|| own_space("ip link set lo up")).join().unwrap();
        let there = name(&machine);
        self.run(&format!(
            "ip link add hub type bridge && ip link set hub up && ip link set switch master hub && \
             ip link add port type veth peer name wire && ip link set port master hub up && ip link set wire netns {there}"
        ));
        let address = "ip addr add 192.168.7.126/25 dev wire && ip link set wire up";
        let there = format!("--net={there}");
        assert!(Command::new("nsenter").args([&there, "sh", "-c", address]).status().unwrap().success());
        machine
    }

    /// Does something from inside, on a thread of its own.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.space, CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            inside.join().unwrap()
        })
    }

    /// Sends this frame from the other end of the wire.
    pub(crate) fn send_frame(&self, frame: &[u8]) {
        self.inside(|| {
            let switch = nix::net::if_::if_nametoindex("switch").unwrap();
            PacketSocket::open(switch, 0).unwrap().send(frame).unwrap();
        });
    }

    /// Changes something in the boot server's network.
    pub(crate) fn run(&self, script: &str) {
        assert!(self.command("sh").args(["-c", script]).status().unwrap().success(), "{script}");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// A script that starts the program that its arguments name.
pub(crate) fn in_a_copy(folder: &Path) -> String {
    let script = r#"[ ! -d FOLDER/copy ] || exec unshare --mount sh -ec 'mount --bind FOLDER/copy FOLDER/dhcp; exec "$@"' sh "$@"
exec "$@""#;
    script.replace("FOLDER", &folder.display().to_string())
}

/// Changes something in another network name space.
pub(crate) fn run_in(space: &File, script: &str) {
    let there = format!("--net={}", name(space));
    let done = Command::new("nsenter").args([&there, "sh", "-c", script]).status().unwrap();
    assert!(done.success(), "{script}");
}

/// A name of a name space that other processes can open.
pub(crate) fn name(space: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), space.as_raw_fd())
}

/// Takes the calling thread into a name space of its own and sets that up.
fn own_space(set_up: &str) -> File {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    assert!(Command::new("sh").args(["-c", set_up]).status().unwrap().success(), "{set_up}");
    File::open("/proc/thread-self/ns/net").unwrap()
}

fn serve_tftp(socket: &UdpSocket, folder: &Path, over: &AtomicBool) {
    socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
    let mut request = [0; 600];
    while !over.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut request) else { continue };
        let Some(request) = request[..length].strip_prefix(&[0, 1]) else { continue };
        let file = request.split(|byte| *byte == 0).next().unwrap();
        // For whoever is confined to the folder, it is the root.
        let path = folder.join("tftp").join(String::from_utf8_lossy(file).trim_start_matches('/'));
        let answer = match fs::read(path) {
            Ok(content) => [&[0, 3, 0, 1], &content[..content.len().min(512)]].concat(),
            Err(_) => b"\0\x05\0\x01File not found\0".to_vec(),
        };
        // As a real server does: from another port.
        let transfer = UdpSocket::bind((BOOT_SERVER, 0)).unwrap();
        let _asker_is_gone = transfer.send_to(&answer, from);
    }
}

/// All programs at each port. The portmapper says its own of each; version 4 of NFS is looked for at another one.
fn serve_rpc(listeners: &[TcpListener], folder: &Path, over: &AtomicBool) {
    listeners.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
    while !over.load(Ordering::Relaxed) {
        match listeners.iter().find_map(|listener| listener.accept().ok()) {
            Some((call, _)) => {
                let _caller_is_gone = answer(call, folder);
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn answer(mut call: TcpStream, folder: &Path) -> io::Result<()> {
    call.set_nonblocking(false)?;
    call.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut mark = [0; 4];
    call.read_exact(&mut mark)?;
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(mark) & 0x7fff_ffff).unwrap()];
    call.read_exact(&mut request)?;
    let words: Vec<u32> =
        request.chunks_exact(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
    let result = match (words[3], words[5]) {
        (100_000, 3) => u32::from(PORTMAPPER).to_be_bytes().to_vec(),
        // To nothing by version 4.1: done.
        (100_003, 1) => vec![0; 12],
        (100_005, 5) => exports(&fs::read_to_string(folder.join("exports")).unwrap_or_default()),
        _nothing => Vec::new(),
    };
    // The same transaction; a reply, accepted, without a verifier, done.
    let head = [words[0], 1, 0, 0, 0, 0].map(u32::to_be_bytes).concat();
    let reply = [head, result].concat();
    call.write_all(&(u32::try_from(reply.len()).unwrap() | 1 << 31).to_be_bytes())?;
    call.write_all(&reply)
}

/// The list of exports in XDR: a path a line, and after a blank the one group that may mount it.
fn exports(lines: &str) -> Vec<u8> {
    let text = |text: &str| {
        let padding = text.len().next_multiple_of(4) - text.len();
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&length, text.as_bytes(), &[0; 3][..padding]].concat()
    };
    let entry = |line: &str| {
        let (path, group) = line.split_once(' ').map_or((line, None), |(path, group)| (path, Some(group)));
        let group = group.map(|group| [&[0, 0, 0, 1][..], &text(group)].concat()).unwrap_or_default();
        [&[0, 0, 0, 1][..], &text(path), &group, &[0; 4]].concat()
    };
    lines.lines().flat_map(entry).chain([0; 4]).collect()
}
