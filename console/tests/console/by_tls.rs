//! TLS, with certificates that the real `openssl` makes, and the real `curl` as the one who comes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::boot_server::BootServer;

/// An authority, a certificate of the console for 127.0.0.1, and one of a person; besides, a person of another authority.
struct Certificates(tempfile::TempDir);

impl Certificates {
    fn new() -> Self {
        let made = Self(tempfile::tempdir().unwrap());
        // The system's own settings would make an authority of each.
        write(made.0.path(), "settings", "[req]\ndistinguished_name = dn\n[dn]\n");
        for authority in ["ours", "other"] {
            made.openssl(authority, &["-addext", "basicConstraints=critical,CA:TRUE"]);
        }
        for (name, authority, extension) in [
            ("console", "ours", "subjectAltName=IP:127.0.0.1"),
            ("anna", "ours", "extendedKeyUsage=clientAuth"),
            ("eve", "other", "extendedKeyUsage=clientAuth"),
        ] {
            let (pem, key) = (made.at(authority, "pem"), made.at(authority, "key"));
            made.openssl(name, &["-CA", &pem, "-CAkey", &key, "-addext", extension]);
        }
        made
    }

    fn openssl(&self, name: &str, more: &[&str]) {
        let settings = self.0.path().join("settings");
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]);
        command.args([
            "-subj",
            &format!("/CN={name}"),
            "-out",
            &self.at(name, "pem"),
            "-keyout",
            &self.at(name, "key"),
        ]);
        let output = command.arg("-config").arg(settings).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn at(&self, name: &str, ending: &str) -> String {
        self.0.path().join(format!("{name}.{ending}")).display().to_string()
    }

    /// The flags of a console with its certificate.
    fn flags(&self) -> [String; 4] {
        [
            "--tls-certificate".to_owned(),
            self.at("console", "pem"),
            "--tls-key".to_owned(),
            self.at("console", "key"),
        ]
    }
}

fn curl(certificates: &Certificates, url: &str, more: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "120",
        "--cacert",
        &certificates.at("ours", "pem"),
    ]);
    command.args(["--write-out", "\n%{http_code}"]).args(more).arg(url).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn with_tls_the_token_lets_in_and_the_cookie_never_goes_without_tls() {
    let (server, certificates) = (BootServer::new(), Certificates::new());
    let flags = certificates.flags();
    let console = server.console(&flags.each_ref().map(String::as_str));
    assert!(console.place.starts_with("https://127.0.0.1:"), "{}", console.place);
    let of =
        |path: &str, more: &[&str]| said(&curl(&certificates, &format!("{}{path}", console.place), more));
    assert!(of("", &[]).ends_with("\n401"));
    let bearer = format!("authorization: Bearer {}", console.token);
    let page = of("", &["--header", &bearer]);
    assert!(page.contains("id=\"wall\"") && page.ends_with("\n200"), "{page}");
    let login = of("login", &["--include", "--data", &format!("token={}", console.token)]);
    assert!(login.contains("SameSite=Strict; Secure") && login.ends_with("\n303"), "{login}");
    // One who believes another authority does not come in, and one without TLS gets no word of it.
    let mistrusts = curl(&certificates, &console.place, &["--cacert", &certificates.at("other", "pem")]);
    assert!(!mistrusts.status.success(), "{}", said(&mistrusts));
    let plain = curl(&certificates, &console.place.replacen("https", "http", 1), &["--header", &bearer]);
    assert!(!plain.status.success() && !said(&plain).contains("Ghost4Linux"), "{}", said(&plain));
}

#[test]
fn a_certificate_of_our_authority_lets_in_and_says_who_it_is() {
    let (server, certificates) = (BootServer::new(), Certificates::new());
    let mut flags = certificates.flags().to_vec();
    flags.extend(["--tls-clients".to_owned(), certificates.at("ours", "pem")]);
    let console = server.console(&flags.iter().map(String::as_str).collect::<Vec<_>>());
    let come = |name: &str| {
        let (pem, key) = (certificates.at(name, "pem"), certificates.at(name, "key"));
        curl(&certificates, &console.place, &["--cert", &pem, "--key", &key])
    };
    let anna = said(&come("anna"));
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in", &certificates.at("anna", "pem")])
        .output();
    let printed = said(&output.unwrap());
    let fingerprint = printed.trim().split_once('=').unwrap().1;
    assert!(anna.contains(&format!("You are the holder of certificate {fingerprint}")), "{anna}");
    let eve = come("eve");
    assert!(!eve.status.success() && !said(&eve).contains("wall"), "{}", said(&eve));
    let nobody = curl(&certificates, &console.place, &[]);
    assert!(!nobody.status.success() && !said(&nobody).contains("wall"), "{}", said(&nobody));
}

#[test]
fn what_is_wrong_with_the_files_is_said_before_anything_listens() {
    let (server, certificates) = (BootServer::new(), Certificates::new());
    let [_, good, _, key] = certificates.flags();
    let empty = write(certificates.0.path(), "empty", "nothing\n");
    let no_key = write(certificates.0.path(), "no.key", &fs::read_to_string(&good).unwrap());
    let open = write(certificates.0.path(), "open.key", &fs::read_to_string(&key).unwrap());
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let other = certificates.at("other", "key");
    for (certificate, key, why) in [
        ("/nowhere.pem", &*key, "cannot read the certificate in /nowhere.pem"),
        (&empty.display().to_string(), &key, "holds no certificate: it must be PEM"),
        (&good, "/nowhere.key", "cannot read the key in /nowhere.key"),
        (&good, &open.display().to_string(), "chmod 600 it"),
        (&good, &no_key.display().to_string(), "holds no key without a passphrase"),
        (&good, &other, "do not fit together"),
    ] {
        let flags = ["--tls-certificate", certificate, "--tls-key", key];
        let (status, said) = server.refused("127.0.0.1:0", &flags);
        assert!(status == Some(1) && said.contains(why), "{why}: {status:?} {said}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}
