//! What PID 1 of the client reads.

use std::path::Path;

use ghost_contract::bootdisk::{self, BootFile};
use ghost_contract::order::ImageStore;
use ghost_contract::{NfsVersion, layout};
use ghost_init::parsers;
use ghostctl::tree;

/// Blanks mean nothing, and of two flags the last one counts.
pub fn command_line(input: &[u8]) {
    parsers::command_line(&String::from_utf8_lossy(input));
}

/// The image store stands in it once, and each line is one of the base root's or that one; the client mounts it once.
pub fn fstab(input: &[u8]) {
    let base = String::from_utf8_lossy(input);
    let store = ImageStore {
        server: [192, 168, 7, 1].into(),
        path: "/home/ghost images".into(),
        only: None,
        generation: None,
        nfs: NfsVersion::default(),
        mountd_port: None,
    };
    let text = tree::fstab(&base, &store);
    let bare = |line: &str| line.trim_end_matches('\r').to_owned();
    assert!(text.lines().rev().skip(1).all(|line| base.lines().any(|base| bare(base) == bare(line))));
    let mounted = parsers::mounts(&text);
    let stores = mounted.iter().filter(|mount| mount.target == Path::new(layout::STORE_MOUNT_POINT));
    let sources: Vec<&str> = stores.map(|mount| mount.source.as_str()).collect();
    assert_eq!(sources, ["192.168.7.1:/home/ghost images"]);
}

/// Nothing but the marks of success make a success.
pub fn dos_job(input: &[u8]) {
    parsers::dos_job(input);
}

/// Bytes of a screen become a picture of its size, with a text that can be shown.
pub fn screens(input: &[u8]) {
    parsers::screens(input);
}

/// A boot floppy that is filled in for a job has its command in AUTOEXEC.BAT and else what it had. Files that are taken out of
/// it have names that stay in a folder, and no more bytes than the floppy.
pub fn floppy(input: &[u8]) {
    const COMMAND: &str = "-clone,mode=dump";
    let extracted = bootdisk::extract(input.to_vec());
    if let Ok(files) = &extracted {
        assert!(files.iter().map(|file| file.content.len()).sum::<usize>() <= input.len());
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['\\', ':', '\0']);
        assert!(files.iter().all(|file| file.path.split('/').all(is_name)));
    }
    if let Ok(filled) = bootdisk::fill(input.to_vec(), COMMAND) {
        assert_eq!(filled.len(), input.len());
        let batch = bootdisk::read(filled.clone(), bootdisk::AUTOEXEC).unwrap_or_default();
        let has = |words: &str| batch.windows(words.len()).any(|window| window == words.as_bytes());
        assert!(has(COMMAND) && !has(bootdisk::COMMAND_PLACEHOLDER));
    }
    let ghost = BootFile { path: bootdisk::GHOST.to_owned(), content: b"MZ".to_vec() };
    if let Ok(template) = bootdisk::compose(input.to_vec(), vec![ghost.clone()]) {
        assert_eq!(template.image.len(), input.len());
        assert!(template.files.contains(&ghost.path));
        assert_eq!(bootdisk::read(template.image, bootdisk::GHOST).ok(), Some(ghost.content));
    }
}
