//! Signatures of manifests, in the form of minisign(1). By one, another boot server knows that this one vouches for a generation.
//!
//! `SIGNINGKEY` names the secret key that signs here, `TRUSTEDKEYS` a file with the public keys that are believed. A manifest says of
//! which host and generation it is, and has the checksums of all pieces, so that nothing else needs to be signed.

use std::fs::OpenOptions;
use std::io::{self, Cursor, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use ghost_contract::{Generation, HostName};
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox, SignatureBox};

use crate::ghostrc::Ghostrc;
use crate::sys::{private, regular};

/// The signature of a manifest, beside it, where minisign(1) looks for it.
pub(crate) const SIGNATURE: &str = "manifest.json.minisig";
/// No signature is larger.
pub(super) const LARGEST_SIGNATURE: u64 = 4 << 10;

/// The last line of a signature, which signs the trusted comment: 64 bytes in base64.
const OF_THE_COMMENT: usize = 88;

/// The keys of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    signing: Option<PathBuf>,
    pub(super) trusted: Option<PathBuf>,
}

/// What a signature is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Signed {
    /// It is right, and of this key.
    By(String),
    /// It is of no key that is trusted.
    ByAnother,
    /// It is of a key that is trusted, or of none at all, and does not match.
    Wrong(String),
}

impl Keys {
    pub(crate) fn of(ghostrc: &Ghostrc) -> Self {
        Self { signing: ghostrc.signing_key.clone(), trusted: ghostrc.trusted_keys.clone() }
    }

    #[cfg(test)]
    pub(super) const fn with(signing: Option<PathBuf>, trusted: Option<PathBuf>) -> Self {
        Self { signing, trusted }
    }

    pub(super) const fn signs(&self) -> bool {
        self.signing.is_some()
    }

    /// A signature for this manifest, if this boot server signs.
    pub(super) fn sign(
        &self,
        manifest: &[u8],
        host: &HostName,
        generation: &Generation,
    ) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.signing else { return Ok(None) };
        let key = read_secret(path)?;
        let says = format!("ghost4linux: {generation} of {host}");
        let signed = minisign::sign(None, &key, Cursor::new(manifest), Some(&says), None);
        let signed = signed.with_context(|| format!("{} does not sign", path.display()))?;
        Ok(Some(signed.to_string()))
    }

    /// What this signature of a manifest is worth here.
    pub(super) fn judge(&self, manifest: &[u8], signature: &[u8]) -> anyhow::Result<Signed> {
        let Some(path) = &self.trusted else { return Ok(Signed::ByAnother) };
        Ok(judged(&read_trusted(path)?, manifest, signature))
    }
}

/// What a signature is worth to one who trusts these keys.
fn judged(trusted: &[PublicKey], manifest: &[u8], signature: &[u8]) -> Signed {
    let text = String::from_utf8_lossy(signature);
    // The crate takes its length for granted, and a client may have cut it.
    if text.lines().nth(3).is_none_or(|line| line.trim().len() != OF_THE_COMMENT) {
        return Signed::Wrong("it is no whole signature".to_owned());
    }
    let signature = match SignatureBox::from_string(&text) {
        Ok(signature) => signature,
        Err(error) => return Signed::Wrong(error.to_string()),
    };
    let Some(key) = trusted.iter().find(|key| key.keynum() == signature.keynum()) else {
        return Signed::ByAnother;
    };
    let verified = minisign::verify(key, &signature, Cursor::new(manifest), true, false, false);
    verified.map_or_else(|error| Signed::Wrong(error.to_string()), |()| Signed::By(name(key)))
}

/// Whether a signature of a manifest is believed by one who trusts this key, for the fuzz targets.
pub(crate) fn is_believed(key: &str, manifest: &[u8], signature: &[u8]) -> anyhow::Result<bool> {
    let trusted = PublicKey::from_base64(key)?;
    Ok(matches!(judged(&[trusted], manifest, signature), Signed::By(_)))
}

/// The number of a key, as minisign(1) writes it.
fn name(key: &PublicKey) -> String {
    key.keynum().iter().rev().map(|byte| format!("{byte:02X}")).collect()
}

fn read_secret(path: &Path) -> anyhow::Result<SecretKey> {
    let at =
        || format!("cannot read the key {} (SIGNINGKEY); 'ghostctl images key' makes one", path.display());
    let metadata = std::fs::metadata(path).with_context(at)?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    ensure!(is_ours && metadata.mode() & 0o077 == 0, "{}: others than root can read it", path.display());
    let text = String::from_utf8(regular::read(path).with_context(at)?).with_context(at)?;
    SecretKeyBox::from_string(&text).and_then(SecretKeyBox::into_unencrypted_secret_key).with_context(at)
}

/// As minisign(1) writes them, one or several: comments, and a line for each key.
fn read_trusted(path: &Path) -> anyhow::Result<Vec<PublicKey>> {
    let at = || format!("cannot read {} (TRUSTEDKEYS)", path.display());
    let text = String::from_utf8(regular::read(path).with_context(at)?).with_context(at)?;
    let is_key =
        |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("untrusted comment:");
    let keys = text.lines().map(str::trim).filter(is_key).map(PublicKey::from_base64);
    keys.collect::<Result<_, _>>().with_context(at)
}

/// The public key that belongs to the secret one in this file, as minisign(1) reads it. The file is made if it is not there.
pub(crate) fn public_key(path: &Path) -> anyhow::Result<String> {
    if !path.exists() {
        make(path).with_context(|| format!("cannot make the key {}", path.display()))?;
    }
    let public = PublicKey::from_secret_key(&read_secret(path)?).and_then(|key| key.to_box());
    Ok(public.map_err(|error| anyhow!("{}: {error}", path.display()))?.to_string())
}

fn make(path: &Path) -> anyhow::Result<()> {
    let pair = KeyPair::generate_unencrypted_keypair()?;
    let secret = pair.sk.to_box(Some("the secret key of a Ghost4Linux boot server"))?;
    let above = path.parent().unwrap_or(Path::new("/"));
    let written = || -> io::Result<()> {
        private::make(above)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        private::close_file(&file)?;
        file.write_all(secret.to_string().as_bytes())?;
        file.sync_all()?;
        std::fs::File::open(above)?.sync_all()
    };
    Ok(written()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn keys(folder: &Path, name: &str) -> Keys {
        let (secret, public) = (folder.join(name), folder.join(format!("{name}.pub")));
        std::fs::write(&public, public_key(&secret).unwrap()).unwrap();
        Keys { signing: Some(secret), trusted: Some(public) }
    }

    fn signed(keys: &Keys, manifest: &[u8]) -> Vec<u8> {
        let (host, generation) = ("john".parse().unwrap(), "a".parse().unwrap());
        keys.sign(manifest, &host, &generation).unwrap().unwrap().into_bytes()
    }

    #[test]
    fn a_signature_is_believed_of_its_bytes_and_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (keys(folder.path(), "ours"), keys(folder.path(), "theirs"));
        let signature = signed(&ours, b"manifest");
        assert!(matches!(ours.judge(b"manifest", &signature).unwrap(), Signed::By(_)));
        assert!(matches!(ours.judge(b"Manifest", &signature).unwrap(), Signed::Wrong(_)));
        assert!(matches!(ours.judge(b"manifest", b"no signature").unwrap(), Signed::Wrong(_)));
        assert_eq!(theirs.judge(b"manifest", &signature).unwrap(), Signed::ByAnother);
        let nobodys = Keys { trusted: None, ..ours };
        assert_eq!(nobodys.judge(b"manifest", &signature).unwrap(), Signed::ByAnother);
        let says = String::from_utf8(signature).unwrap();
        assert!(says.contains("trusted comment: ghost4linux: a of john"), "{says}");
        let forged = says.replace("a of john", "b of john").into_bytes();
        assert!(matches!(keys(folder.path(), "ours").judge(b"manifest", &forged).unwrap(), Signed::Wrong(_)));
    }

    #[test]
    fn a_signature_that_a_client_has_cut_is_wrong_wherever_it_was_cut() {
        let folder = tempfile::tempdir().unwrap();
        let ours = keys(folder.path(), "ours");
        let signature = signed(&ours, b"manifest");
        let whole = signature.trim_ascii_end().len();
        for length in 0..whole {
            let judged = ours.judge(b"manifest", &signature[..length]).unwrap();
            assert!(matches!(judged, Signed::Wrong(_)), "{length}: {judged:?}");
        }
    }

    #[test]
    fn the_secret_key_is_roots_alone_and_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/key");
        let public = public_key(&path).unwrap();
        assert_eq!(public_key(&path).unwrap(), public);
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(public_key(&path).unwrap_err().to_string().contains("others than root can read it"));
    }

    #[test]
    fn minisign_itself_verifies_what_is_signed_here_and_signs_what_is_believed_here() {
        let folder = tempfile::tempdir().unwrap();
        let run = |words: &[&str]| {
            let ran = std::process::Command::new("minisign").args(words).current_dir(folder.path()).output();
            let ran = ran.expect("minisign, which is in the package minisign");
            assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        };
        let ours = keys(folder.path(), "ours");
        std::fs::write(folder.path().join("manifest.json"), "manifest").unwrap();
        std::fs::write(folder.path().join(SIGNATURE), signed(&ours, b"manifest")).unwrap();
        run(&["-V", "-q", "-p", "ours.pub", "-m", "manifest.json"]);
        run(&["-G", "-W", "-p", "theirs.pub", "-s", "theirs"]);
        std::fs::remove_file(folder.path().join(SIGNATURE)).unwrap();
        run(&["-S", "-s", "theirs", "-m", "manifest.json"]);
        let signature = std::fs::read(folder.path().join(SIGNATURE)).unwrap();
        let theirs = Keys { signing: None, trusted: Some(folder.path().join("theirs.pub")) };
        assert!(matches!(theirs.judge(b"manifest", &signature).unwrap(), Signed::By(_)));
    }
}
