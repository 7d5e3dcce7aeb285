//! File handles of NFS version 3 of one's own making, and what a client asks a server with them. Pure: bytes in and out.
//!
//! A server gives a client the handle of the folder that it mounts. In it stands, in the clear, which export it is of, and which file of that
//! file system: for ext4 its inode and a generation, of which 0 is every one (`ext4_nfs_get_inode` in Linux). So a client can
//! make the handle of any other file there. Whether it gets the file is up to the server.

use std::fmt;

use anyhow::{Context as _, bail};

mod xdr;

pub use xdr::{Procedure, call, fragment, result};
use xdr::{number, opaque, opaque_of};

/// RFC 1833 §3: the port of a program over TCP.
pub const GET_PORT: Procedure = Procedure { program: 100_000, version: 2, number: 3 };
/// RFC 1813 §5.2.1 and §3.3.6 and 7.
pub const MNT: Procedure = Procedure { program: 100_005, version: 3, number: 1 };
pub const READ: Procedure = Procedure { program: 100_003, version: 3, number: 6 };
pub const WRITE: Procedure = Procedure { program: 100_003, version: 3, number: 7 };

/// The protocol number that the portmapper knows TCP by.
const TCP: u32 = 6;
/// How many bytes are asked for.
const COUNT: u32 = 4096;
/// `FILE_SYNC`: what was written is on the disk.
const STABLE: u32 = 2;

/// Linux' nfsd (linux/fs/nfsd/nfsfh.h): the version, how the client proves who it is (not at all), how the file system is told,
/// how the file is told, and the two themselves.
const OF_NFSD: u8 = 1;
/// How many bytes tell the file system, by the number that says how (`key_len` there).
const BYTES_OF_FILE_SYSTEM: [usize; 8] = [8, 4, 12, 8, 8, 8, 16, 24];
/// NFS-Ganesha (src/include/nfs_fh.h): the version, flags, the export in two bytes, a length, what its FSAL makes of the file, and zeros up to a
/// multiple of four. With VFS the file ends with the kernel's own handle, and the byte before that says how it is told (FSAL_VFS/handle_syscalls.c).
const OF_GANESHA: u8 = 0x43;
/// `FILEID_INO32_GEN` and `FILEID_INO32_GEN_PARENT` (linux/include/linux/exportfs.h): inode and generation, and those of its folder.
const INODE: u8 = 1;
const INODE_AND_FOLDER: u8 = 2;
const EVERY_GENERATION: u32 = 0;

/// A file, by its inode, and the folder that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub inode: u32,
    pub folder: Option<u32>,
}

/// A handle that no server has given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forged {
    /// How it tells the file, for people.
    pub by: &'static str,
    pub bytes: Vec<u8>,
}

/// Handles of another file, of the file system that this handle of an exported folder is of.
pub fn forged(of_export: &[u8], target: Target) -> anyhow::Result<Vec<Forged>> {
    let file = |inode: u32| [inode.to_ne_bytes(), EVERY_GENERATION.to_ne_bytes()].concat();
    let alone = file(target.inode);
    let with_folder = target.folder.map(|folder| [alone.clone(), file(folder)].concat());
    let by_both = |bytes: Vec<u8>| Forged { by: "inode and folder", bytes };
    match of_export {
        [OF_NFSD, no_proof, kind, _, rest @ ..] => {
            let length = BYTES_OF_FILE_SYSTEM.get(usize::from(*kind));
            let file_system = length
                .and_then(|length| rest.get(..*length))
                .context("nfsd tells the file system in another way")?;
            let with = |how, file: &[u8]| [&[OF_NFSD, *no_proof, *kind, how], file_system, file].concat();
            let first = Forged { by: "inode", bytes: with(INODE, &alone) };
            let second = with_folder.map(|file| by_both(with(INODE_AND_FOLDER, &file)));
            Ok([first].into_iter().chain(second).collect())
        }
        [OF_GANESHA, flags, high, low, length, rest @ ..] => {
            let file = rest.get(..usize::from(*length)).context("the handle is cut off")?;
            let Some((before, [INODE, _, _, _, _, _, _, _, _])) = file.split_last_chunk::<9>() else {
                bail!("NFS-Ganesha tells a file in another way than ext4's: {file:02x?}");
            };
            let with = |how, file: &[u8]| {
                let file = [before, &[how], file].concat();
                let length = u8::try_from(file.len()).context("the handle gets too long")?;
                let mut handle = [&[OF_GANESHA, *flags, *high, *low, length], file.as_slice()].concat();
                handle.resize(handle.len().next_multiple_of(4), 0);
                anyhow::Ok(handle)
            };
            let first = Forged { by: "inode", bytes: with(INODE, &alone)? };
            let second =
                with_folder.map(|file| anyhow::Ok(by_both(with(INODE_AND_FOLDER, &file)?))).transpose()?;
            Ok([first].into_iter().chain(second).collect())
        }
        other => bail!("this is no handle of nfsd's or NFS-Ganesha's: {other:02x?}"),
    }
}

/// A handle of NFS-Ganesha's as if it had been given out for another export, whose handle is given, too.
pub fn numbered(handle: &[u8], other: &[u8]) -> anyhow::Result<Vec<u8>> {
    match (handle, other) {
        ([OF_GANESHA, flags, _, _, rest @ ..], [OF_GANESHA, _, high, low, ..]) => {
            Ok([&[OF_GANESHA, *flags, *high, *low], rest].concat())
        }
        _ => bail!("only in NFS-Ganesha's handles there is the number of an export"),
    }
}

pub fn port_of(program: Procedure) -> Vec<u8> {
    [program.program, program.version, TCP, 0].iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub fn port(result: &[u8]) -> anyhow::Result<u16> {
    let port = number(result).and_then(|(port, _)| u16::try_from(port).ok()).filter(|port| *port != 0);
    port.context("the portmapper knows no port for it")
}

pub fn mount_of(path: &str) -> Vec<u8> {
    opaque_of(path.as_bytes())
}

/// The handle of the folder that was asked for.
pub fn mounted(result: &[u8]) -> anyhow::Result<Vec<u8>> {
    const UNREADABLE: &str = "mountd's answer cannot be read";
    let (status, rest) = number(result).context(UNREADABLE)?;
    if status != 0 {
        bail!("mountd refuses: {}", Status(status));
    }
    let (handle, _) = opaque(rest).context(UNREADABLE)?;
    Ok(handle.to_vec())
}

pub fn read_of(handle: &[u8]) -> Vec<u8> {
    let (offset, count) = (0_u64.to_be_bytes(), COUNT.to_be_bytes());
    [&opaque_of(handle)[..], &offset, &count].concat()
}

pub fn write_of(handle: &[u8], text: &[u8]) -> Vec<u8> {
    let (offset, count) = (0_u64.to_be_bytes(), u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    [&opaque_of(handle)[..], &offset, &count, &STABLE.to_be_bytes(), &opaque_of(text)].concat()
}

/// What a server says to a forged handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Read(Vec<u8>),
    Wrote,
    Refused(Status),
}

/// What became of a READ.
pub fn read(result: &[u8]) -> Option<Answer> {
    let (status, rest) = number(result)?;
    if status != 0 {
        return Some(Answer::Refused(Status(status)));
    }
    // RFC 1813 §2.6: the attributes, if there are any, have 84 bytes.
    let (has_attributes, rest) = number(rest)?;
    let rest = if has_attributes == 1 { rest.get(84..)? } else { rest };
    let (_count, rest) = number(rest)?;
    let (_is_end, rest) = number(rest)?;
    Some(Answer::Read(opaque(rest)?.0.to_vec()))
}

/// What became of a WRITE.
pub fn written(result: &[u8]) -> Option<Answer> {
    let (status, _) = number(result)?;
    Some(if status == 0 { Answer::Wrote } else { Answer::Refused(Status(status)) })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(bytes) => write!(f, "read {} bytes\n{}", bytes.len(), String::from_utf8_lossy(bytes)),
            Self::Wrote => write!(f, "wrote"),
            Self::Refused(status) => write!(f, "refused with {status}"),
        }
    }
}

/// Why a server does not do it (RFC 1813 §2.6; those of mountd are the same).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.0 {
            1 => "NFS3ERR_PERM",
            2 => "NFS3ERR_NOENT",
            5 => "NFS3ERR_IO",
            13 => "NFS3ERR_ACCES",
            20 => "NFS3ERR_NOTDIR",
            21 => "NFS3ERR_ISDIR",
            22 => "NFS3ERR_INVAL",
            30 => "NFS3ERR_ROFS",
            70 => "NFS3ERR_STALE",
            10_001 => "NFS3ERR_BADHANDLE",
            10_006 => "NFS3ERR_SERVERFAULT",
            other => return write!(f, "status {other}"),
        };
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests;
