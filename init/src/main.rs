//! Entry of PID 1. However the session ends, the machine goes off.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Duration;

use ghost_contract::order::AtEnd;
use ghost_init::failure::Failure;
use ghost_init::machine::linux::Linux;
use ghost_init::sys::console::Console;
use ghost_init::sys::way_out::WayOut;
use ghost_init::sys::{modprobe, power_command};

/// The exit code of `ghostctl` for wrong usage too.
const USAGE: u8 = 2;
/// How long to wait until the kernel is asked once more to power off.
const ASK_AGAIN: Duration = Duration::from_secs(10);

const HELP: &str = "\
ghost-init: PID 1 of a diskless Ghost4Linux client

The kernel starts it, as /init of the initramfs or by init=/sbin/ghost-init on a root that is mounted. It does the
job that the boot server has ordered and powers the machine off. On a running machine it refuses to run.

Flags on the kernel command line:
  ghost.mode=test|ghost|backup|verify   this mode instead of the order's
  ghost.delay=SECONDS                   how long a person can see what is going to happen (default 10)
  ghost.shell                           a root shell on tty2
  ghost.trees=ADDRESS:/PATH             the NFS folder in which each client has one of its own, if not in the root
  ghost.debug                           print each step with its time
";

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let called = arguments.next().unwrap_or_default();
    if std::process::id() == 1 {
        as_pid_one()
    } else {
        as_program(called.rsplit('/').next().unwrap_or_default(), arguments)
    }
}

/// The program has several names in the initramfs and the base root.
fn as_program(name: &str, mut arguments: impl Iterator<Item = String>) -> ExitCode {
    if name == modprobe::NAME {
        return modprobe::run(arguments);
    }
    if power_command::is_one(name) {
        return power_command::run(name, arguments);
    }
    match arguments.next().as_deref() {
        Some("--version" | "-V") => println!("ghost-init {}", env!("CARGO_PKG_VERSION")),
        Some("--help" | "-h") => print!("{HELP}"),
        _ => {
            eprintln!("ghost-init: this is not PID 1, and it would power this machine off; see --help");
            return ExitCode::from(USAGE);
        }
    }
    ExitCode::SUCCESS
}

/// Never comes back while the machine is on: the kernel would panic.
fn as_pid_one() -> ExitCode {
    panic::set_hook(Box::new(|bug| Console::default().say(&format!("ghost-init has a bug: {bug}"))));
    let way_out = WayOut::default();
    match Linux::take_over(way_out.clone()) {
        Ok(mut machine) => {
            let session = panic::catch_unwind(AssertUnwindSafe(|| machine.run()));
            let words = match session {
                Ok(()) => "the job is over, but this machine did not go off",
                Err(_) => "ghost-init has a bug and ends the job",
            };
            // A second bug must not keep the machine on.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| machine.last_words(words)));
        }
        Err(error) => Console::default().say(&Failure::of(error).to_string()),
    }
    loop {
        let still_on = way_out.take(AtEnd::PowerOff);
        Console::default().say(&Failure::of(still_on).to_string());
        std::thread::park_timeout(ASK_AGAIN);
    }
}
