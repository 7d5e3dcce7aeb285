//! Starts a job's imager: checks the prompts, has the imager prepared, and looks once more whether the job is to stop.

use ghost_contract::Mode;
use ghost_contract::order::Order;
use ghost_contract::report::Event as Report;

use super::running::Step;
use crate::failure::Failure;
use crate::imager::Terminal;
use crate::job::Job;
use crate::prompt::Prompts;
use crate::session::waiting::tree_gone;
use crate::session::{Action, ImagerState, Session, Stage, Turn};
use crate::task::{Finding, Task};

impl Session {
    /// The first thing of a mode that runs an imager: what the order says must make sense.
    pub(in crate::session) fn start_imaging(&mut self, job: Job, turn: &mut Turn) -> Stage {
        let prompts = job.order.as_ref().map_or_else(Vec::new, |order: &Order| order.prompts.clone());
        match Prompts::new(&prompts) {
            Ok(prompts) => {
                self.start(Task::PrepareImager(Box::new(job.clone())), turn);
                Stage::PreparingImager(job, prompts)
            }
            Err(error) => self.fail(Failure::of(error).to_string(), turn),
        }
    }

    pub(in crate::session) fn imager_prepared(
        &mut self,
        job: Job,
        prompts: Prompts,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match result {
            Ok(Finding::ImagerReady { imager, command, disks, terminal, undone }) => {
                undone.into_iter().for_each(|undone| turn.carry_on(undone.step, &undone.reason));
                let launch = (Report::ImagerStarted { imager, command, disks }, terminal);
                if job.order.is_none() {
                    return self.start_imager(job, prompts, launch, turn);
                }
                self.start(Task::LookForStop, turn);
                Stage::LookingOnceMore(job, prompts, launch)
            }
            Ok(_) => self.fail("preparing the imager gave no result, which is a bug of ghost-init", turn),
            Err(failure) => self.fail(format!("cannot prepare the imager: {failure}"), turn),
        }
    }

    /// The last look before a disk is touched found no wish to stop, or could not be made. If the server has taken the tree away,
    /// the job is over, and the disk stays as it is.
    pub(in crate::session) fn looked_once_more(
        &mut self,
        job: Job,
        prompts: Prompts,
        launch: (Report, Terminal),
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match result {
            Ok(Finding::TreeGone) => return self.fail(tree_gone().to_string(), turn),
            Ok(_) => {}
            Err(failure) => turn.carry_on(Task::LookForStop.to_string(), &failure),
        }
        self.start_imager(job, prompts, launch, turn)
    }

    fn start_imager(
        &mut self,
        job: Job,
        prompts: Prompts,
        (launch, terminal): (Report, Terminal),
        turn: &mut Turn,
    ) -> Stage {
        turn.say(Task::StartImager.to_string());
        if let Report::ImagerStarted { disks, .. } = &launch {
            self.button.guard(job.mode, disks);
            self.at_stake = (job.mode == Mode::Restore).then(|| disks.clone());
        }
        turn.report(launch);
        self.imager = ImagerState::Started(terminal);
        if terminal != Terminal::None {
            turn.actions.push(Action::LendScreen);
        }
        self.start(Task::StartImager, turn);
        Stage::StartingImager(job, prompts)
    }

    pub(in crate::session) fn imager_started(
        &mut self,
        job: Job,
        prompts: Prompts,
        result: Result<Finding, Failure>,
        turn: &mut Turn,
    ) -> Stage {
        match result {
            Ok(_) => {
                let mut imaging = self.imaging(job, prompts, turn);
                imaging.queue.push_back(Step::FirstLook);
                self.go_on_imaging(imaging, turn)
            }
            Err(failure) => {
                self.take_screen_back(turn);
                self.fail(format!("the imager cannot be started: {failure}"), turn)
            }
        }
    }
}
