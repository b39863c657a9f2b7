//! How a command ended, in words: its code, its signal, the limit that ended it, and
//! whose the next move is.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::process::{Came, Ran};
use crate::jail::Fault;
use crate::jail::wire::{End, Passed, PassedLimit, Status};

/// What is said of a command that is over, in one line.
pub(super) fn words(ran: &Ran, timeout_s: u64) -> String {
    let took = took(ran.took);
    let end = match &ran.came {
        Came::NotStarted(fault) => return not_started(fault),
        Came::Ended(end) => end,
    };
    let how = match (end.passed, ran.is_stopped) {
        (Some(passed), _) => limit(passed, timeout_s),
        (None, true) => "cancelled; it and all that it started are gone".into(),
        (None, false) => status(end.status),
    };
    format!("{how}, {took}{}", spent(end, ran.took))
}

/// What a shell would say that it exited with.
pub(super) fn code(ran: &Ran) -> u8 {
    match &ran.came {
        Came::NotStarted(_) => 126,
        Came::Ended(End { status: Status::Exited(code), passed: None, .. }) => *code,
        Came::Ended(End { status: Status::Killed(signal), passed: None, .. }) => 128 + signal,
        // Whatever it got to say: it was not let finish.
        Came::Ended(_) => 128 + Signal::SIGKILL as u8,
    }
}

pub(super) fn not_started(fault: &Fault) -> String {
    format!("it could not be started: {fault}")
}

fn status(status: Status) -> String {
    match status {
        Status::Exited(code @ 0..=128) => format!("exit {code}"),
        // What a shell says of the one it waited for.
        Status::Exited(code) => match name(code - 128) {
            Some(name) => format!("exit {code} (128 and the number of {name})"),
            None => format!("exit {code}"),
        },
        Status::Killed(number) => match name(number) {
            Some(name) => format!("killed by {name}"),
            None => format!("killed by signal {number}"),
        },
    }
}

fn name(number: u8) -> Option<&'static str> {
    Signal::try_from(i32::from(number)).ok().map(Signal::as_str)
}

fn limit(Passed { limit, value }: Passed, timeout_s: u64) -> String {
    let key = limit.limit().bounds().key;
    match limit {
        PassedLimit::Wall => format!(
            "ended after timeout_s {timeout_s} with all that it started; what it printed until \
             then is kept"
        ),
        _ => format!("ended at the limit `{key}` of {value}, with all that it started"),
    }
}

fn took(took: Duration) -> String {
    let ms = took.as_millis();
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{:.1} s", took.as_secs_f64()),
        _ => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
    }
}

/// Its processor time, where that says something that the clock does not.
fn spent(end: &End, took: Duration) -> String {
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let differs =
        1_000 < took_ms && (end.cpu_ms < took_ms / 2 || took_ms + took_ms / 2 < end.cpu_ms);
    if !differs {
        return String::new();
    }
    format!(" ({:.1} s of processor time)", Duration::from_millis(end.cpu_ms).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{code, words};
    use crate::jail::wire::{End, Passed, PassedLimit, Status};
    use crate::tools::process::{Came, Ran};

    fn ran(status: Status, passed: Option<PassedLimit>, is_stopped: bool, ms: u64) -> Ran {
        let passed = passed.map(|limit| Passed { limit, value: 64 });
        let came = Came::Ended(End { status, passed, cpu_ms: ms });
        Ran { came, took: Duration::from_millis(ms), is_stopped }
    }

    #[test]
    fn each_end_has_its_words() {
        use PassedLimit::{Memory, Wall};
        use Status::{Exited, Killed};
        #[rustfmt::skip]
        let table = [
            // status     limit         stopped   ms      number words
            (Exited(0),   None,         false,    12,     0,     "exit 0, 12 ms"),
            (Exited(1),   None,         false,    1_234,  1,     "exit 1, 1.2 s"),
            (Exited(137), None,         false,    1,      137,   "exit 137 (128 and the number of SIGKILL), 1 ms"),
            (Exited(255), None,         false,    1,      255,   "exit 255, 1 ms"),
            (Killed(11),  None,         false,    90_000, 139,   "killed by SIGSEGV, 1 min 30 s"),
            (Killed(9),   Some(Memory), false,    5,      137,   "ended at the limit `memory_mib` of 64, with all that it started, 5 ms"),
            (Killed(9),   Some(Wall),   false,    1_000,  137,   "ended after timeout_s 120 with all that it started; what it printed until then is kept, 1.0 s"),
            (Killed(9),   None,         true,     5,      137,   "cancelled; it and all that it started are gone, 5 ms"),
        ];
        for (status, passed, is_stopped, ms, number, want) in table {
            let ran = ran(status, passed, is_stopped, ms);
            assert_eq!((words(&ran, 120).as_str(), code(&ran)), (want, number));
        }
        let Came::Ended(end) = ran(Exited(0), None, false, 0).came else { unreachable!() };
        let idle = Ran { came: Came::Ended(end), took: Duration::from_secs(5), is_stopped: false };
        assert_eq!(words(&idle, 120), "exit 0, 5.0 s (0.0 s of processor time)");
    }
}
