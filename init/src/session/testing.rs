//! Mode `test`: root can log in while a `sleep` runs, and the job ends when the `sleep` does.

use std::time::Duration;

use ghost_contract::report::{Event as Report, Outcome};

use super::waiting::{Wait, tree_gone};
use super::{Event, Session, Stage, Turn};
use crate::failure::Failure;
use crate::job::Job;
use crate::task::{Finding, Task};

/// How late the `sleep` may be. When the server dies, its program may never get so far as to sleep.
const LATENESS: Duration = Duration::from_secs(60);

impl Session {
    pub(super) fn start_test(&mut self, job: Job, turn: &mut Turn) -> Stage {
        let authorized_keys = job.test_settings().authorized_keys;
        self.start(Task::StartShellServer { authorized_keys }, turn);
        Stage::StartingShellServer(job)
    }

    pub(super) fn shell_server_started(
        &mut self,
        job: Job,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        let port = match result {
            Ok(Finding::ShellServer(port)) => Some(port),
            Ok(_) => None,
            Err(failure) => {
                turn.carry_on("start the shell server".to_owned(), &failure);
                None
            }
        };
        self.start(Task::StartSleep(job.test_settings().sleep), turn);
        Stage::StartingSleep(job, port)
    }

    pub(super) fn sleep_started(
        &mut self,
        job: Job,
        port: Option<u16>,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        if let Err(failure) = result {
            return self.fail(format!("cannot start the sleep: {failure}"), turn);
        }
        self.announce_test(&job, port, turn);
        let until = turn.now.saturating_add(job.test_settings().sleep).saturating_add(LATENESS);
        Stage::Testing(self.wait(until, &job, turn))
    }

    pub(super) fn go_on_testing(&mut self, wait: Wait, event: Event, turn: &mut Turn) -> Stage {
        match self.go_on_waiting(wait, event, turn) {
            Some(wait) if wait.is_deserted() => self.fail(tree_gone().to_string(), turn),
            Some(wait) => Stage::Testing(wait),
            None => self.fail("the sleep has not ended in time", turn),
        }
    }

    pub(super) fn announce_test(&self, job: &Job, ssh_port: Option<u16>, turn: &mut Turn) {
        let sleep = job.test_settings().sleep;
        turn.say(format!("sleep {} runs; when it ends, the machine powers off", sleep.as_secs()));
        match ssh_port {
            Some(port) => turn.say(format!("root can log in by ssh on port {port}")),
            None => turn.say("nobody can log in: the shell server did not start"),
        }
        turn.report(Report::TestStarted { sleep, ssh_port });
    }

    pub(super) fn end_test(&mut self, how: String, turn: &mut Turn) -> Stage {
        turn.say(format!("the sleep has ended: {how}"));
        turn.report(Report::TestEnded { how });
        self.end(Outcome::Succeeded, turn)
    }
}
