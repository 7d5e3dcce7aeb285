//! fstab(5): from its text to the mounts to make, in the form that mount(2) wants.
//!
//! Does not mount anything. For NFS it adds the options that mount.nfs would add, since the base root has no mount.nfs.

use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};

/// The options that a client gives where fstab does not: version 3, no lock daemon, TCP.
const NFS_DEFAULTS: [(&str, &str); 3] = [("vers", "3"), (NO_LOCKS, ""), ("proto", "tcp")];
/// Version 4 has locks of its own.
const NO_LOCKS: &str = "nolock";

/// What mount(8) handles itself and the kernel must not see.
const FOR_MOUNT_ONLY: [&str; 14] = [
    "auto", "noauto", "defaults", "rw", "user", "nouser", "users", "owner", "group", "_netdev", "nofail",
    "suid", "dev", "exec",
];

/// A flag of mount(2), by the name that fstab has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MountFlag {
    ReadOnly,
    NoSuid,
    NoDev,
    NoExec,
    NoAtime,
    Synchronous,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// What is mounted; for file systems without a device, any word.
    pub source: String,
    pub target: PathBuf,
    /// The type of the file system.
    pub kind: String,
    pub flags: Vec<MountFlag>,
    /// Options for the file system, joined by commas.
    pub options: String,
}

/// The mounts that fstab asks for at boot, in its order, without the root itself; a line that cannot be
/// obeyed stands among them as an error.
pub(crate) fn mounts(text: &str) -> Vec<anyhow::Result<Mount>> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_ascii()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|(number, line)| mount(number, line).transpose())
        .collect()
}

fn mount(line: usize, text: &str) -> anyhow::Result<Option<Mount>> {
    let mut fields = text.split_ascii_whitespace().map(unescape);
    let (Some(source), Some(target), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
        bail!("line {line} of fstab has no type of file system");
    };
    let options = fields.next().unwrap_or_default();
    let by_hand = options.split(',').any(|option| option == "noauto");
    if is_root(&target) || kind == "swap" || !target.starts_with('/') || by_hand {
        return Ok(None);
    }
    match kind.as_str() {
        "nfs" => return nfs(&source, target.into(), &options).map(Some),
        "nfs4" => return nfs(&source, target.into(), &format!("{options},vers=4")).map(Some),
        _ => {}
    }
    let (flags, options) = sort_out(&options);
    Ok(Some(Mount { source, target: target.into(), kind, flags, options: options.join(",") }))
}

/// Whether a path leads nowhere but to the root, like `//` and `/..`.
fn is_root(path: &str) -> bool {
    Path::new(path).components().all(|part| !matches!(part, Component::Normal(_)))
}

/// The mount of an NFS export on a folder.
pub(crate) fn nfs(source: &str, target: PathBuf, options: &str) -> anyhow::Result<Mount> {
    // The client cannot resolve names.
    let address =
        source.split_once(":/").and_then(|(host, _path)| host.trim_matches(['[', ']']).parse().ok());
    let address: IpAddr = address.with_context(|| {
        format!("'{source}' does not begin with the numeric address of an NFS server and a colon")
    })?;
    let (flags, mut options) = sort_out(options);
    let has_locks = options.iter().any(|option| is_version_4(option));
    for (key, value) in NFS_DEFAULTS.into_iter().filter(|(key, _)| !(has_locks && *key == NO_LOCKS)) {
        if !options.iter().any(|option| means(option, key)) {
            options.push(if value.is_empty() { key.to_owned() } else { format!("{key}={value}") });
        }
    }
    options.retain(|option| !option.starts_with("addr="));
    options.push(format!("addr={address}"));
    Ok(Mount { source: source.to_owned(), target, kind: "nfs".to_owned(), flags, options: options.join(",") })
}

/// A file system in memory, with room for the folders that others are mounted on: the root is read-only.
pub(crate) fn room_for_mount_points(target: &str) -> Mount {
    let flags = vec![MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];
    let (kind, options) = ("tmpfs".to_owned(), "size=64k,mode=755".to_owned());
    Mount { source: kind.clone(), target: target.into(), kind, flags, options }
}

/// Whether an option sets the same thing as this key (nfs(5)).
fn means(option: &str, key: &str) -> bool {
    let name = option.split('=').next().unwrap_or(option);
    match key {
        "vers" => matches!(name, "vers" | "nfsvers" | "v2" | "v3" | "v4"),
        "proto" => matches!(name, "proto" | "tcp" | "udp" | "rdma"),
        NO_LOCKS => matches!(name, "nolock" | "lock" | "local_lock"),
        _ => name == key,
    }
}

/// Whether an option asks for version 4, or 4.1, or a later one (nfs(5)).
pub(crate) fn is_version_4(option: &str) -> bool {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    name == "v4" || (matches!(name, "vers" | "nfsvers") && value.starts_with('4'))
}

/// Splits options into flags of mount(2) and what the file system itself understands.
fn sort_out(options: &str) -> (Vec<MountFlag>, Vec<String>) {
    let mut flags = Vec::new();
    let mut rest = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match flag(option) {
            Some(flag) => flags.push(flag),
            None if FOR_MOUNT_ONLY.contains(&option) || option.starts_with("x-") => {}
            None => rest.push(option.to_owned()),
        }
    }
    (flags, rest)
}

fn flag(option: &str) -> Option<MountFlag> {
    match option {
        "ro" => Some(MountFlag::ReadOnly),
        "nosuid" => Some(MountFlag::NoSuid),
        "nodev" => Some(MountFlag::NoDev),
        "noexec" => Some(MountFlag::NoExec),
        "noatime" => Some(MountFlag::NoAtime),
        "sync" => Some(MountFlag::Synchronous),
        _ => None,
    }
}

/// Blanks stand in fstab as octal numbers (fstab(5)).
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests;
