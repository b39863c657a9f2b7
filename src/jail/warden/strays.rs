//! Ending what a jail leaves behind where there is no pid namespace that would end
//! it: it is looked for, by descent, and killed, until there is nothing more to find.
//!
//! Only jails of the strength `landlock` need this.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::getpid;

use super::{Running, Warden};
use crate::jail::processes::Processes;
use crate::jail::{stages, sys};

/// How long a process that was killed is given to be gone.
const STRAYS_TRY: Duration = Duration::from_micros(200);
/// One that has not answered by then has been killed itself.
const END_TRIES_MAX: u32 = 250;

impl Warden<'_> {
    /// Ends all that this warden has started, and all that came of it.
    pub(super) fn end_everything(&mut self) {
        self.end_running();
        self.running.clear();
        self.spare = None;
        self.end_strays();
    }

    /// Has the first processes end their commands, each all of its own at once.
    fn end_running(&mut self) {
        for command in &self.running {
            let _ = kill(command.first, stages::end_of_first(self.locks.strength));
        }
        for _ in 0..END_TRIES_MAX {
            if self.running.is_empty() {
                return;
            }
            std::thread::sleep(STRAYS_TRY);
            self.collect_ended();
        }
    }

    /// Ends whatever descends from this process and
    /// belongs to no command that runs, until there is nothing left of it. What
    /// lost its parent has come to this process, so nothing gets out of sight;
    /// and what is forked meanwhile is found by the next look.
    pub(super) fn end_strays(&mut self) -> Vec<Running> {
        let mut ended = Vec::new();
        loop {
            let spare = self.spare.iter().map(|spare| spare.first);
            let known: Vec<_> = self
                .running
                .iter()
                .map(|command| command.first)
                .chain(spare)
                .chain(self.watch.measuring())
                .collect();
            // A /proc that cannot be read for once is read again.
            let strays = self.watch.processes().below(getpid(), &known);
            if strays.as_ref().is_ok_and(Vec::is_empty) {
                return ended;
            }
            for stray in strays.into_iter().flatten() {
                let _ = kill(stray, Signal::SIGKILL);
            }
            ended.extend(self.collect_ended());
            std::thread::sleep(STRAYS_TRY);
        }
    }
}

/// Ends all that descends from this process, which has nothing else to do.
pub(in crate::jail) fn end_all(processes: &Processes) {
    while processes.below(getpid(), &[]).is_ok_and(|strays| {
        for stray in &strays {
            let _ = kill(*stray, Signal::SIGKILL);
        }
        !strays.is_empty()
    }) {
        while let Ok(Some(_)) = sys::collect_child() {}
        std::thread::sleep(STRAYS_TRY);
    }
}
