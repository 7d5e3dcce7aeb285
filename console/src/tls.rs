//! TLS: the console's own certificate, and whose certificates it asks for.
//!
//! Who comes with a certificate is known by its fingerprint, as `openssl x509 -fingerprint -sha256` prints it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// The files of the settings, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The console's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities whose certificates let people in; none: the token does.
    pub clients: Option<PathBuf>,
}

/// Reads the files. What is wrong with them is known before anything listens.
pub fn acceptor(files: &Files) -> anyhow::Result<TlsAcceptor> {
    let chain = certificates(&files.certificate)?;
    let key = key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &files.clients {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots
                    .add(authority)
                    .with_context(|| format!("{} holds a certificate of no use", path.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(
                verifier.with_context(|| format!("cannot use {}", path.display()))?,
            )
        }
    };
    let (certificate, key_file) = (files.certificate.display(), files.key.display());
    let mut config = builder.with_single_cert(chain, key).with_context(|| {
        format!("the certificate in {certificate} and the key in {key_file} do not fit together")
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let cannot = || format!("cannot read the certificate in {}", path.display());
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(&fs::read(path).with_context(cannot)?).collect();
    let found = found.with_context(cannot)?;
    if found.is_empty() {
        bail!("{} holds no certificate: it must be PEM, with a line BEGIN CERTIFICATE", path.display());
    }
    Ok(found)
}

fn key(path: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let cannot = || format!("cannot read the key in {}", path.display());
    if fs::metadata(path).with_context(cannot)?.mode() & 0o007 != 0 {
        bail!("every user of this machine can read the key in {}: chmod 600 it", path.display());
    }
    PrivateKeyDer::from_pem_slice(&fs::read(path).with_context(cannot)?)
        .with_context(|| format!("{} holds no key without a passphrase in PEM", path.display()))
}

/// What a certificate is known by.
pub fn fingerprint(certificate: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
