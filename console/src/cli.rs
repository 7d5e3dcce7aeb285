//! The command line. The manual page is generated from this.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{CommandFactory as _, Parser};
use clap_mangen::Man;

use crate::listen::Place;
use crate::tls::Files;

/// A web page with the live screens of all clients, and what became of each job.
#[derive(Debug, Clone, Parser)]
#[command(name = "ghost-console", version)]
#[command(
    after_help = "Examples:\n  ghost-console\n  ghost-console --listen unix:/run/ghost4linux/console.sock\n  \
    ghost-console --listen 192.168.7.1:8040 --proxy 192.168.7.9 --user-header X-Remote-User\n  \
    ghost-console --listen 192.168.7.1:8443 --tls-certificate /etc/ghost4linux/console.pem --tls-key /etc/ghost4linux/console.key\n\n\
    Pages are shown to who has the token, which is in STATEDIR/console-token; to who has a certificate of an authority in \
    --tls-clients; to who may open the Unix socket; or to whom a proxy has let in. Without TLS or a proxy it listens on this machine \
    only: ssh -L 8040:127.0.0.1:8040 brings it to another. Certificates are read at the start: restart it after they were renewed."
)]
pub struct Arguments {
    /// The boot server's settings, see ghostrc(5)
    #[arg(long, value_name = "FILE", default_value = ghostctl::ghostrc::PATH)]
    pub config: PathBuf,
    /// Where it listens: ADDRESS:PORT, or unix:PATH
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:8040")]
    pub listen: Place,
    /// The group that may open the Unix socket besides root
    #[arg(long, value_name = "GROUP")]
    pub socket_group: Option<String>,
    /// The reverse proxy that says who it has let in: only from its address are connections taken
    #[arg(long, value_name = "ADDRESS", requires = "user_header")]
    pub proxy: Option<IpAddr>,
    /// The header in which a reverse proxy says who it has let in
    #[arg(long, value_name = "NAME")]
    pub user_header: Option<String>,
    /// The console's certificate for TLS, and those between it and its authority, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The key of that certificate, PEM without a passphrase
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// The authorities whose certificates let people in, instead of the token, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_clients: Option<PathBuf>,
    /// The file with the token, instead of STATEDIR/console-token; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let people start and stop jobs from the pages, too
    #[arg(long)]
    pub allow_actions: bool,
    /// The program that does what people start
    #[arg(long, value_name = "FILE", default_value = "ghostctl")]
    pub ghostctl: PathBuf,
    /// Write the manual page below this folder, for packages
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub generate_manual: Option<PathBuf>,
}

impl Arguments {
    /// The files of TLS, if there is to be any.
    pub fn tls(&self) -> Option<Files> {
        let (certificate, key) = self.tls_certificate.clone().zip(self.tls_key.clone())?;
        Some(Files { certificate, key, clients: self.tls_clients.clone() })
    }
}

/// The manual page, as it is made from the definition above.
pub fn manual() -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(Arguments::command()).section("8").manual("Ghost4Linux").render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_are_sound() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn the_manual_page_has_what_people_may_give_it() {
        let page = String::from_utf8(super::manual().unwrap()).unwrap();
        assert!(page.contains(".TH ghost-console 8") && page.contains("allow\\-actions"), "{page}");
        assert!(!page.contains("generate"), "{page}");
    }
}
