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
    People log in with the token in STATEDIR/console-token. With --tls-clients they need a certificate instead, with --user-header \
    the proxy logs them in, and at a Unix socket the rights of its file decide. Without TLS or a proxy the console listens on this \
    machine only: use ssh -L 8040:127.0.0.1:8040 from another one. It reads certificates when it starts: restart it after you renew them."
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
    /// Take connections from this reverse proxy only, which asks people who they are
    #[arg(long, value_name = "ADDRESS", requires = "user_header")]
    pub proxy: Option<IpAddr>,
    /// The header in which the reverse proxy names the person
    #[arg(long, value_name = "NAME")]
    pub user_header: Option<String>,
    /// The console's certificate for TLS, with its intermediate certificates, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The key of that certificate, PEM without a passphrase
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Ask people for a certificate of these authorities instead of the token, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_clients: Option<PathBuf>,
    /// The file with the token, instead of STATEDIR/console-token; a new token is written to it if it does not exist
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Let people start and cancel jobs on the pages
    #[arg(long)]
    pub allow_actions: bool,
    /// The ghostctl that does what people ask for on the pages
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
