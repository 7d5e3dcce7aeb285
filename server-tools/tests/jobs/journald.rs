//! What journald is told of jobs, where one listens.

use std::os::unix::net::UnixDatagram;

use super::boot_server::{BootServer, said, wait_until};
use super::client::{Behaviour, Client};

#[test]
fn each_note_of_a_job_is_a_message_with_its_job_host_and_phase() {
    let server = BootServer::with_hosts(2);
    let folder = server.path("journal");
    std::fs::create_dir(&folder).unwrap();
    let journald = UnixDatagram::bind(folder.join("socket")).unwrap();
    // As journald, it reads all the time.
    let listening = std::thread::spawn(move || {
        let (mut messages, mut bytes) = (Vec::new(), [0; 8192]);
        while !messages.iter().any(|message: &String| message.starts_with("MESSAGE=pc2: succeeded\n")) {
            let length = journald.recv(&mut bytes).unwrap();
            messages.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
        messages
    });
    let _client = Client::off(&server, 2, Behaviour::Succeeds);
    // Where a journald of the machine's own may be, this one is.
    let job = server.command(["test", "pc2"]);
    let mut command = std::process::Command::new("unshare");
    let script = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind \"$1\" /run/systemd/journal && shift && exec \"$@\"";
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&folder)
        .arg(job.get_program())
        .args(job.get_args());
    command.envs(job.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("pc2: succeeded"), "standard output is another place: {}", said(&output));
    wait_until("the end of the job is told", || listening.is_finished());
    let messages = listening.join().unwrap();
    let of = |message: &str, field: &str| {
        let start = format!("{field}=");
        message.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    let last = messages.iter().find(|message| message.starts_with("MESSAGE=pc2: succeeded\n"));
    let last = last.unwrap_or_else(|| panic!("{messages:#?}"));
    let record = std::fs::read_dir(server.path("state/jobs")).unwrap().next().unwrap().unwrap();
    assert_eq!(of(last, "JOB"), record.file_name().into_string().ok(), "{last}");
    let expected = [("PRIORITY", "5"), ("HOST", "pc2"), ("MODE", "test"), ("SYSLOG_IDENTIFIER", "ghostctl")];
    expected.iter().for_each(|(field, value)| assert_eq!(of(last, field).as_deref(), Some(*value), "{last}"));
    let phases: Vec<String> = messages.iter().filter_map(|message| of(message, "PHASE")).collect();
    assert!(
        phases.iter().any(|phase| phase == "woken") && phases.iter().any(|phase| phase == "reverted"),
        "{phases:?}"
    );
}
