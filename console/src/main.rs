//! `ghost-console`: reads the command line, and serves until it is told to end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use ghost_console::acts::{self, Acts};
use ghost_console::cli::{self, Arguments};
use ghost_console::desk::Desk;
use ghost_console::door::{self, Door};
use ghost_console::listen::{self, Entrance};
use ghost_console::serve::{self, Limits, Way};
use ghost_console::{log, routes, tls};
use ghostctl::exit::Exit;
use ghostctl::site::Site;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

/// Pages that read much are made by so many threads.
const THREADS: usize = 4;
const TOKEN: &str = "console-token";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What is made here, a socket before its rights are set included, is root's alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    match run(arguments) {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            log::line(&format!("ghost-console: {error:#}"));
            Exit::of(&error).into()
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.generate_manual {
        return write_manual(&folder.join("man/man8"));
    }
    let files = arguments.tls();
    let entrance = listen::entrance(
        &arguments.listen,
        arguments.proxy,
        arguments.user_header.as_deref(),
        files.as_ref(),
    )?;
    let tls = files.as_ref().map(tls::acceptor).transpose()?;
    let config = std::path::absolute(&arguments.config)?;
    let site = Site::open(&config, Duration::ZERO)?;
    let token_file = arguments.token_file.clone().unwrap_or_else(|| site.ghostrc.state_folder.join(TOKEN));
    let token = matches!(entrance, Entrance::Token | Entrance::TokenByTls)
        .then(|| new_or_old_token(&token_file))
        .transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .build()
        .context("cannot start")?;
    runtime.block_on(serve(arguments, (entrance, tls), (token, token_file), site, config))
}

fn write_manual(folder: &Path) -> anyhow::Result<()> {
    // Everybody may read it, whatever is made here else.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let page = folder.join("ghost-console.8");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&page, cli::manual()?));
    written.with_context(|| format!("cannot write {}", page.display()))
}

fn new_or_old_token(path: &Path) -> anyhow::Result<String> {
    let new: String = random()?.iter().map(|byte| format!("{byte:02x}")).collect();
    door::read_token(path, &new)
}

fn random() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    anyhow::ensure!(got == bytes.len(), "the kernel gives no random numbers");
    Ok(bytes)
}

async fn serve(
    arguments: Arguments,
    (entrance, tls): (Entrance, Option<TlsAcceptor>),
    (token, token_file): (Option<String>, PathBuf),
    site: Site,
    config: PathBuf,
) -> anyhow::Result<()> {
    let listener = listen::bind(&arguments.listen, arguments.socket_group.as_deref())?;
    let place = listener.place()?.to_string();
    let place = if tls.is_some() { place.replacen("http:", "https:", 1) } else { place };
    log::line(&format!("the console is at {place}"));
    if token.is_some() {
        log::line(&format!("its token is in {}", token_file.display()));
    }
    let acts = Acts::new(arguments.ghostctl, config, acts::systemd_runs());
    let door = Door::new(entrance, token, random()?);
    let router = routes::router(Desk::new(site), door, acts, arguments.allow_actions);
    let way = Way { limits: Limits::USUAL, only_from: arguments.proxy, tls };
    let mut stops =
        [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?];
    let [terminate, interrupt, hangup] = &mut stops;
    tokio::select! {
        () = serve::run(listener, router, way) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
