//! The attack: what a jail is tried with, on the very host that it has to hold on.
//!
//! ```text
//! for each attempt:   outside, by the probe   is it live? did the host see it?
//!                     in the jail, the same   refused? and did the host see nothing?
//! ```
//!
//! An attempt that is refused outside too proves nothing about the jail, and is
//! told as unproved. One that the probe calls refused has gone through all the
//! same if the host sees what it did.

mod attempts;
mod fixture;
pub mod probe;
mod witness;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::jail::policy::{Network, Strength};
use crate::jail::wire::{End, Spec, Status, WallKey};
use crate::jail::{Jail, JailError, Streams};
pub use attempts::{Attempt, Control, Meant};
pub use fixture::Fixture;
use witness::Witness;

/// How one attempt went, once outside and once in the jail.
#[derive(Debug)]
pub struct Row {
    pub attempt: &'static Attempt,
    pub outside: Answer,
    pub inside: Answer,
    pub verdict: Verdict,
    /// What there is to add to the verdict.
    pub why: String,
}

/// What the probe said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done(String),
    Refused(String),
    /// It was never made, because the probe could not.
    Broken(String),
    /// It was not made, because this host lacks what it is made on.
    NotMade(&'static str),
}

/// What that says about the jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through outside, and was refused.
    Held,
    /// It has to work, and does.
    Works,
    /// It may go through.
    Allowed,
    /// It was refused, but so it is outside: nobody knows whether the jail would.
    Unproved,
    /// It went through.
    Through,
    /// It cannot be told.
    Broken,
}

impl Verdict {
    /// Every verdict, in the order in which they are counted.
    pub const ALL: [Self; 6] =
        [Self::Held, Self::Works, Self::Allowed, Self::Unproved, Self::Through, Self::Broken];

    /// The word for it, as it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Works => "works",
            Self::Allowed => "allowed",
            Self::Unproved => "UNPROVED",
            Self::Through => "WENT THROUGH",
            Self::Broken => "BROKEN",
        }
    }

    /// Whether a jail with such a row is not what it should be, or not known to be.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Through | Self::Broken)
    }
}

/// In one word where there is one.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("done"),
            Self::Refused(why) => f.write_str(why.split(' ').next().unwrap_or_default()),
            Self::Broken(_) => f.write_str("broken"),
            Self::NotMade(_) => f.write_str("not made"),
        }
    }
}

impl Answer {
    fn of_output(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        answer(output.status.code(), output.status.signal(), &text)
    }
}

/// An open jail, and what a command in it is started with.
#[derive(Debug)]
pub struct Arena<'a> {
    pub jail: &'a Jail,
    pub strength: Strength,
    pub network: Network,
    /// Whether it can have sockets with a name.
    pub local_sockets: bool,
    pub env: Vec<Vec<u8>>,
    pub cwd: Vec<u8>,
}

/// Makes every attempt.
pub fn carry_out(fixture: &mut Fixture, arena: &Arena<'_>) -> io::Result<Vec<Row>> {
    let told = |attempt: &Attempt, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", attempt.id))
    };
    attempts::all()
        .map(|attempt| carry_out_one(fixture, arena, attempt).map_err(|error| told(attempt, error)))
        .collect()
}

fn carry_out_one(
    fixture: &mut Fixture,
    arena: &Arena<'_>,
    attempt: &'static Attempt,
) -> io::Result<Row> {
    fixture.refresh()?;
    let words = match fixture.words(attempt) {
        Ok(words) => words,
        Err(lack) => {
            let (outside, inside) = (Answer::NotMade(lack), Answer::NotMade(lack));
            let verdict = Verdict::Unproved;
            return Ok(Row { attempt, outside, inside, verdict, why: lack.into() });
        }
    };
    let before = fixture.witness(attempt);
    let outside = try_outside(fixture, attempt, &words)?;
    let seen_outside = has_trace(fixture, attempt, &before);

    fixture.refresh()?;
    // The control may have cost the child its life, and so its number.
    let words = fixture.words(attempt).unwrap_or(words);
    let before = fixture.witness(attempt);
    let inside = try_inside(fixture, arena, &words)?;
    let seen_inside = has_trace(fixture, attempt, &before);

    let meant = attempt.meant_in(arena.strength, arena.network, arena.local_sockets);
    let live = liveness(attempt, &outside, seen_outside);
    let (verdict, why) = judge(meant, live, &inside, seen_inside);
    Ok(Row { attempt, outside, inside, verdict, why })
}

/// Whether the host sees that something was done. What is done to a process takes
/// a moment to be seen.
fn has_trace(fixture: &mut Fixture, attempt: &Attempt, before: &Witness) -> bool {
    let looks = if attempt.line.contains("{pid}") && attempt.leaves_trace { LOOKS_MAX } else { 1 };
    (0..looks).any(|look| {
        if 0 < look {
            std::thread::sleep(LOOK);
        }
        fixture.witness(attempt) != *before
    })
}

const LOOK: Duration = Duration::from_millis(2);
const LOOKS_MAX: u32 = 10;

/// What an answer says, seen together with what the host saw.
fn judge(meant: Meant, live: Result<(), String>, inside: &Answer, seen: bool) -> (Verdict, String) {
    match (meant, inside) {
        (_, Answer::Broken(why)) => (Verdict::Broken, why.clone()),
        (_, Answer::NotMade(why)) => (Verdict::Broken, (*why).into()),
        (Meant::Allowed(why), _) => (Verdict::Allowed, why.into()),
        (Meant::Works, Answer::Done(_)) => (Verdict::Works, String::new()),
        (Meant::Works, Answer::Refused(why)) => {
            (Verdict::Broken, format!("a jail in which this fails proves nothing: {why}"))
        }
        (Meant::Refused, Answer::Done(what)) => (Verdict::Through, what.clone()),
        (Meant::Refused | Meant::Undone, _) if seen => {
            (Verdict::Through, "whatever the probe was told, the host saw it done".into())
        }
        (Meant::Refused | Meant::Undone, _) => match live {
            Ok(()) => (Verdict::Held, String::new()),
            Err(why) => (Verdict::Unproved, why),
        },
    }
}

/// Whether an attempt goes through where there is no jail, or why that is unknown.
fn liveness(attempt: &Attempt, outside: &Answer, seen: bool) -> Result<(), String> {
    match outside {
        Answer::Done(_) if attempt.leaves_trace && !seen => {
            Err("outside it was done, but the host saw nothing of it".into())
        }
        Answer::Done(_) => Ok(()),
        _ if attempt.control == Control::Root && !nix::unistd::geteuid().is_root() => {
            Err("only root could show that it goes through outside".into())
        }
        Answer::Refused(why) => Err(format!("outside it is refused too: {why}")),
        Answer::Broken(why) => Err(format!("outside it cannot be made: {why}")),
        Answer::NotMade(why) => Err((*why).into()),
    }
}

fn try_outside(fixture: &Fixture, attempt: &Attempt, words: &[String]) -> io::Result<Answer> {
    #[expect(clippy::disallowed_methods, reason = "the control, which is no control in a jail")]
    let mut command = Command::new(fixture.probe());
    let own = (attempt.control == Control::OwnNamespaces).then_some("own");
    command.arg0(fixture.probe()).args(own).args(words);
    command.current_dir(fixture.directory());
    command.stdin(Stdio::null()).stderr(Stdio::null());
    Ok(Answer::of_output(&command.output()?))
}

fn try_inside(fixture: &Fixture, arena: &Arena<'_>, words: &[String]) -> io::Result<Answer> {
    let probe = fixture.probe().to_string_lossy().into_owned();
    let args = [&probe].into_iter().chain(words).map(|word| word.clone().into_bytes()).collect();
    let spec = Spec {
        args,
        env: arena.env.clone(),
        cwd: arena.cwd.clone(),
        terminal: None,
        wall_ms: ATTEMPT_MS_MAX,
        wall_key: WallKey::Wall,
    };
    #[expect(clippy::disallowed_methods, reason = "a device that every host has")]
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let (read, write) = io::pipe()?;
    let streams = Streams::Three([null.as_fd(), write.as_fd(), null.as_fd()]);
    let ended = arena.jail.start(&spec, &streams).and_then(|running| running.wait());
    drop(write);
    let mut text = String::new();
    // What lingers may hold it open, and that is for the witness to see.
    nix::fcntl::fcntl(&read, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
    let _ = read.take(ANSWER_BYTES_MAX).read_to_string(&mut text);
    Ok(match ended {
        Ok(End { status: Status::Exited(code), .. }) => answer(Some(code.into()), None, &text),
        Ok(End { status: Status::Killed(signal), .. }) => answer(None, Some(signal.into()), &text),
        Err(JailError::Fault(fault)) => Answer::Broken(fault.to_string()),
        Err(error) => Answer::Broken(error.to_string()),
    })
}

/// Longer than the probe gives itself.
const ATTEMPT_MS_MAX: u64 = 15_000;
const ANSWER_BYTES_MAX: u64 = 4096;

fn answer(code: Option<i32>, signal: Option<i32>, text: &str) -> Answer {
    // The answer of the kernel to calls of another architecture.
    if signal == Some(libc::SIGSYS) {
        return Answer::Refused("SIGSYS the kernel ended it for the call".into());
    }
    let line = text.lines().next().unwrap_or_default();
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (code, word) {
        (Some(0), "done") => Answer::Done(rest.into()),
        (Some(1), "refused") => Answer::Refused(rest.into()),
        (Some(2), "broken") => Answer::Broken(rest.into()),
        _ => Answer::Broken(format!("it ended with {code:?}, {signal:?}, and said `{line}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Meant, Verdict, answer, judge};

    #[test]
    fn a_verdict_is_never_kinder_than_what_was_seen() {
        let done = Answer::Done("x".into());
        let refused = Answer::Refused("EPERM x".into());
        let broken = Answer::Broken("x".into());
        let (live, dead) = (Ok(()), Err("outside too".to_owned()));
        let why = Meant::Allowed("on purpose");
        #[rustfmt::skip]
        let table = [
            // meant           control  in the jail  seen    verdict
            (Meant::Refused,   &live,   &refused,    false,  Verdict::Held),
            (Meant::Refused,   &dead,   &refused,    false,  Verdict::Unproved),
            (Meant::Refused,   &live,   &refused,    true,   Verdict::Through),
            (Meant::Refused,   &dead,   &refused,    true,   Verdict::Through),
            (Meant::Refused,   &live,   &done,       false,  Verdict::Through),
            (Meant::Refused,   &dead,   &done,       false,  Verdict::Through),
            (Meant::Refused,   &live,   &broken,     false,  Verdict::Broken),
            (Meant::Undone,    &live,   &done,       false,  Verdict::Held),
            (Meant::Undone,    &dead,   &done,       false,  Verdict::Unproved),
            (Meant::Undone,    &live,   &done,       true,   Verdict::Through),
            (Meant::Works,     &live,   &done,       false,  Verdict::Works),
            (Meant::Works,     &live,   &refused,    false,  Verdict::Broken),
            (Meant::Works,     &live,   &broken,     false,  Verdict::Broken),
            (why,              &live,   &done,       true,   Verdict::Allowed),
            (why,              &live,   &refused,    false,  Verdict::Allowed),
            (why,              &live,   &broken,     false,  Verdict::Broken),
        ];
        for (meant, control, inside, seen, want) in table {
            let (got, _) = judge(meant, control.clone(), inside, seen);
            assert_eq!(got, want, "{meant:?} {control:?} {inside:?} {seen}");
        }
    }

    #[test]
    fn an_answer_counts_only_if_code_and_words_agree() {
        #[rustfmt::skip]
        let table = [
            // code     signal    text               is it an answer
            (Some(0),   None,     "done 3 bytes\n",  true),
            (Some(1),   None,     "refused EPERM x", true),
            (None,      Some(31), "",                true),
            (Some(0),   None,     "",                false),
            (Some(0),   None,     "refused EPERM",   false),
            (Some(1),   None,     "done",            false),
            (Some(127), None,     "",                false),
            (None,      Some(9),  "done",            false),
        ];
        for (code, signal, text, want) in table {
            let got = !matches!(answer(code, signal, text), Answer::Broken(_));
            assert_eq!(got, want, "{code:?} {signal:?} {text:?}");
        }
    }
}
