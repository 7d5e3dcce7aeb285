//! Whether clients find their root: what a boot loader's configuration says of it is the base root, and PID 1 is in it. Pure.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ghost_contract::NfsVersion;

use super::facts::BaseRoot;
use super::{Check, Finding};

/// What a boot loader's configuration says to one of our clients of its root.
pub(super) const FLAG: &str = "nfsroot=";
/// What the kernel of a client runs on its root.
pub(super) const INIT: &str = "sbin/ghost-init";

/// The roots that a configuration names: the server, and its folder.
pub(super) fn named(text: &str) -> impl Iterator<Item = (&str, &Path)> {
    let places = values(text).filter_map(|value| value.split(',').next()?.split_once(':'));
    places.map(|(server, path)| (server, Path::new(path)))
}

/// What a configuration says of each root: its place, and the options behind a comma.
fn values(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || c == '\'');
    words.filter_map(|word| word.strip_prefix(FLAG))
}

/// The versions of NFS with which a configuration has its root mounted.
pub(crate) fn versions(text: &str) -> impl Iterator<Item = &str> {
    options(text).flat_map(|options| said(options, "vers="))
}

/// The options with which a configuration has its roots mounted, of each root.
fn options(text: &str) -> impl Iterator<Item = &str> {
    values(text).map(|value| value.split_once(',').map_or("", |(_, options)| options))
}

fn said<'a>(options: &'a str, key: &'static str) -> impl Iterator<Item = &'a str> {
    options.split(',').filter_map(move |option| option.strip_prefix(key))
}

/// A client goes by what it is told: by a port that mountd does not have it finds no root.
fn another_port(file: &Path, options: &str, base: &BaseRoot) -> Option<Finding> {
    let told = said(options, "mountport=").last();
    let wanted = base.mountd_port.filter(|_| base.version == NfsVersion::V3).map(|port| port.to_string());
    let file = file.display();
    let mend = "run 'ghostctl root build', which makes that file anew";
    match (told, wanted) {
        (told, wanted) if told == wanted.as_deref() => None,
        (None, _) => Some(Finding::warning(
            Check::BaseRoot,
            format!("{file} has clients ask the portmapper, though MOUNTDPORT is set"),
            mend,
        )),
        (Some(told), wanted) => Some(Finding::bad(
            Check::BaseRoot,
            format!(
                "{file} has clients look for mountd at port {told}, and MOUNTDPORT is {}",
                wanted.as_deref().unwrap_or("not set")
            ),
            mend,
        )),
    }
}

/// A client's initramfs has one version, and its fstab names the one of the settings.
fn another_version(file: &Path, said: &str, version: NfsVersion) -> Option<Finding> {
    (said != version.word()).then(|| {
        Finding::bad(
            Check::BaseRoot,
            format!(
                "{} has clients mount their root with version {said} of NFS, and NFSVERSION is {}",
                file.display(),
                version.word()
            ),
            "run 'ghostctl root build', which makes that file and the initramfs anew",
        )
    })
}

/// All that is to be said of it.
pub(super) fn root(told: &[(PathBuf, String)], server: Ipv4Addr, base: &BaseRoot) -> Vec<Finding> {
    let of_files = told.iter().flat_map(|(file, text)| named(text).map(move |root| (file.as_path(), root)));
    let mut findings: Vec<Finding> =
        of_files.filter_map(|(file, named)| another(file, named, server, base)).collect();
    let of_files = told.iter().flat_map(|(file, text)| versions(text).map(move |said| (file, said)));
    findings.extend(of_files.filter_map(|(file, said)| another_version(file, said, base.version)));
    let of_files = told.iter().flat_map(|(file, text)| options(text).map(move |said| (file, said)));
    findings.extend(of_files.filter_map(|(file, options)| another_port(file, options, base)));
    // Without a base root that is told already.
    if !base.has_init && base.missing.is_empty() {
        findings.push(Finding::bad(
            Check::BaseRoot,
            format!("{} has no {INIT}, so that a client has nothing to run", base.root.display()),
            "run 'ghostctl root build', or 'rootfs/install-init' of the source",
        ));
    }
    findings
}

/// A client that takes its root from elsewhere finds none, or one that nobody keeps up to date.
fn another(file: &Path, (said, path): (&str, &Path), server: Ipv4Addr, base: &BaseRoot) -> Option<Finding> {
    let place = format!("{server}:{}", base.root.display());
    let found = format!(
        "{} has clients take their root from {said}:{}, and the base root is {place}",
        file.display(),
        path.display()
    );
    let mend = format!("write {FLAG}{place} there, or set PXEADDR and PXEBASE in ghostrc to what is right");
    if path != base.root && !base.known_as.iter().any(|known| known == path) {
        return Some(Finding::bad(Check::BaseRoot, found, mend));
    }
    // This machine may have another address that is as good.
    (said != server.to_string()).then(|| Finding::warning(Check::BaseRoot, found, mend))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::super::State;
    use super::super::judge::tests::facts;
    use super::*;

    fn judged(text: &str, base: &BaseRoot) -> Vec<(State, String)> {
        let told = [(PathBuf::from("/srv/tftp/pxelinux.cfg/default"), text.to_owned())];
        let findings = root(&told, [192, 168, 7, 1].into(), base);
        findings.into_iter().map(|finding| (finding.state, finding.found)).collect()
    }

    #[test]
    fn the_base_root_is_good_by_whichever_loader_and_name() {
        let base = BaseRoot { known_as: vec!["/exports/root".into()], ..facts().base_root };
        for text in [
            "APPEND ro nfsroot=192.168.7.1:/tftpboot/root,vers=3 quiet",
            "linux /vmlinuz 'ro' 'nfsroot=192.168.7.1:/tftpboot/root' 'quiet'",
            "APPEND nfsroot=192.168.7.1:/exports/root",
            "LABEL another\nKERNEL memtest",
        ] {
            assert_eq!(judged(text, &base), [], "{text}");
        }
    }

    #[test]
    fn another_root_is_told_with_both_places() {
        let base = facts().base_root;
        for (text, state) in [
            ("APPEND nfsroot=192.168.7.1:/tftpboot/roots,vers=3", State::Bad),
            ("APPEND nfsroot=10.0.0.5:/srv/base", State::Bad),
            ("APPEND nfsroot=192.168.7.99:/tftpboot/root", State::Warning),
        ] {
            let found = judged(text, &base);
            assert_eq!(found.iter().map(|(state, _)| *state).collect::<Vec<_>>(), [state], "{text}");
            assert!(found[0].1.ends_with("and the base root is 192.168.7.1:/tftpboot/root"), "{found:?}");
        }
    }

    #[test]
    fn a_root_that_is_mounted_with_another_version_than_the_settings_say_is_told() {
        let base = facts().base_root;
        let by_4_1 = "APPEND nfsroot=192.168.7.1:/tftpboot/root,vers=4.1,tcp quiet";
        let words = "/srv/tftp/pxelinux.cfg/default has clients mount their root with version 4.1 of NFS, and NFSVERSION is 3";
        assert_eq!(judged(by_4_1, &base), [(State::Bad, words.to_owned())]);
        let base = BaseRoot { version: NfsVersion::V4_1, ..base };
        assert_eq!(judged(by_4_1, &base), []);
        let by_3 = "linux /vmlinuz 'nfsroot=192.168.7.1:/tftpboot/root,vers=3,tcp,nolock'";
        assert_eq!(judged(by_3, &base).len(), 1);
    }

    #[test]
    fn another_port_of_mountd_than_the_settings_name_is_told() {
        let base = |port| BaseRoot { mountd_port: NonZeroU16::new(port), ..facts().base_root };
        let by_port =
            "APPEND nfsroot=192.168.7.1:/tftpboot/root,vers=3,tcp,nolock,port=2049,mountport=20048 quiet";
        let by_portmapper = "APPEND nfsroot=192.168.7.1:/tftpboot/root,vers=3,tcp,nolock quiet";
        assert_eq!(judged(by_port, &base(20_048)), []);
        assert_eq!(judged(by_portmapper, &base(0)), []);
        let file = "/srv/tftp/pxelinux.cfg/default";
        let another = |setting| {
            format!("{file} has clients look for mountd at port 20048, and MOUNTDPORT is {setting}")
        };
        assert_eq!(judged(by_port, &base(892)), [(State::Bad, another("892"))]);
        assert_eq!(judged(by_port, &base(0)), [(State::Bad, another("not set"))]);
        let asked = format!("{file} has clients ask the portmapper, though MOUNTDPORT is set");
        assert_eq!(judged(by_portmapper, &base(20_048)), [(State::Warning, asked)]);
        let version_4 = BaseRoot { version: NfsVersion::V4_1, ..base(20_048) };
        assert_eq!(judged("APPEND nfsroot=192.168.7.1:/tftpboot/root,vers=4.1,tcp", &version_4), []);
    }

    #[test]
    fn a_base_root_without_its_init_is_told_once() {
        let base = BaseRoot { has_init: false, ..facts().base_root };
        assert_eq!(judged("", &base).len(), 1);
        assert_eq!(judged("", &BaseRoot { missing: vec!["etc"], ..base }), []);
    }
}
