//! A case in use: its jail, what keeps its outputs, and what is written down.
//!
//! Calls may come from several threads at once. A jail is opened when it is first
//! needed, and anew when it is gone; hands are given back after each call that left
//! them well.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::background::Jobs;
use super::repeats::Repeats;
use super::{Code, Place, Start, Stop, ToolError};
use crate::govern::Journal;
use crate::hint::Hint;
use crate::jail::policy::Policy;
use crate::jail::{Hands, HandsError, Jail, JailError, Wait, Zygote};
use crate::outputs::{Budget, Outputs, Secrets};

/// What a session is made of. Whoever makes it holds the case.
#[expect(missing_debug_implementations, reason = "it holds what opens a jail")]
pub struct Ground {
    /// Where the case is.
    pub case: PathBuf,
    pub policy: Policy,
    pub start: Start,
    /// The repos in it, and what they are compared with.
    pub code: Vec<Code>,
    pub secrets: Arc<Secrets>,
    /// How much of a result is shown.
    pub budget: Budget,
    /// What the kept outputs may take.
    pub outputs_bytes_max: u64,
    /// Where the jail shows them.
    pub outputs_at: PathBuf,
    /// Opens a jail of the case. Whatever must outlive the jail is held by this.
    pub open: Open,
    pub clock: Clock,
    /// Nobody can guess it, so nobody can guess what is named by it.
    pub key: [u8; 16],
}

/// How a jail of the case is opened.
pub type Open = Box<dyn Fn() -> Result<Opened, Unopened> + Send + Sync>;

/// Tells the time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// A jail, and what it was forked from.
#[derive(Debug)]
pub struct Opened {
    /// Dropped first.
    pub jail: Jail,
    pub zygote: Zygote,
}

/// Why there is no jail, in the words of whoever opens it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Unopened {
    pub what: String,
    pub hint: Option<String>,
}

impl Hint for Unopened {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

/// A case in use. It is put down in the order of these: nothing that the jail needs
/// goes before the jail.
#[expect(missing_debug_implementations, reason = "it holds what opens a jail")]
pub struct Session {
    pub(super) jobs: Mutex<Jobs>,
    /// Those that nobody uses just now.
    hands: Mutex<Vec<Hands>>,
    opened: Mutex<Option<Arc<Opened>>>,
    pub(super) repeats: Mutex<Repeats>,
    pub(super) outputs: Arc<Mutex<Outputs>>,
    pub(super) journal: Arc<Journal>,
    pub(super) ground: Ground,
    /// How threads wait here that have others to serve.
    wait: Option<Wait>,
}

/// More idle hands are of no use to anybody.
const IDLE_HANDS_MAX: usize = 4;

impl Session {
    pub fn begin(ground: Ground) -> Result<Self, ToolError> {
        let journal = Journal::open(&ground.case, (ground.clock)())?;
        let outputs = Outputs::open(&ground.case.join("outputs"), ground.outputs_bytes_max)?;
        let outputs = outputs.shown_at(&ground.outputs_at);
        Ok(Self {
            ground,
            opened: Mutex::new(None),
            hands: Mutex::default(),
            outputs: Arc::new(Mutex::new(outputs)),
            journal: Arc::new(journal),
            repeats: Mutex::default(),
            jobs: Mutex::default(),
            wait: None,
        })
    }

    /// Sets how threads wait here that may have others to serve.
    pub fn set_wait(&mut self, wait: Wait) {
        self.wait = Some(wait);
    }

    /// How many commands run in the background.
    pub fn running(&self) -> usize {
        lock(&self.jobs).running()
    }

    /// The jail, opened now if there is none.
    pub(super) fn jail(&self) -> Result<Arc<Opened>, ToolError> {
        if let Ok(opened) = self.opened.try_lock()
            && let Some(opened) = &*opened
        {
            return Ok(opened.clone());
        }
        self.waited(|| self.open())
    }

    fn open(&self) -> Result<Arc<Opened>, ToolError> {
        let mut opened = lock(&self.opened);
        if let Some(opened) = &*opened {
            return Ok(opened.clone());
        }
        let jail = Arc::new((self.ground.open)()?);
        *opened = Some(jail.clone());
        Ok(jail)
    }

    /// Does what may take long.
    fn waited<T>(&self, mut act: impl FnMut() -> T) -> T {
        let mut done = None;
        if let Some(wait) = self.wait {
            wait(&mut || done = Some(act()));
        }
        done.unwrap_or_else(act)
    }

    /// Does something in the jail. If the jail turns out to be gone, and `again` says
    /// that to do it twice does no harm, in a new one.
    pub(super) fn in_jail<T>(
        &self,
        again: bool,
        mut act: impl FnMut(&Arc<Opened>) -> Result<T, ToolError>,
    ) -> Result<T, ToolError> {
        let opened = self.jail()?;
        match act(&opened) {
            Err(error) if error.is_gone() => {
                // Hands alone may be gone. A second jail over the same files, beside one
                // that stands, would cost what was written.
                if opened.jail.is_gone() {
                    self.forget(&opened);
                }
                drop(opened);
                match again {
                    true => act(&self.jail()?),
                    false => Err(error),
                }
            }
            outcome => outcome,
        }
    }

    fn forget(&self, gone: &Arc<Opened>) {
        lock(&self.hands).clear();
        let mut opened = lock(&self.opened);
        if opened.as_ref().is_some_and(|opened| Arc::ptr_eq(opened, gone)) {
            *opened = None;
        }
    }

    /// Does something with hands of the jail.
    pub(super) fn with_hands<T>(
        &self,
        again: bool,
        stop: &Stop,
        mut act: impl FnMut(&mut Place<'_>) -> Result<T, ToolError>,
    ) -> Result<T, ToolError> {
        use std::os::unix::ffi::OsStrExt;
        let base = self.ground.start.base.as_os_str().as_bytes();
        self.in_jail(again, |opened| {
            let idle = lock(&self.hands).pop();
            let mut hands = match idle {
                Some(hands) => hands,
                None => self.waited(|| opened.jail.hands())?,
            };
            if let Some(wait) = self.wait {
                hands.set_wait(wait);
            }
            let outcome = act(&mut Place { hands: &mut hands, base, stop: Some(stop) });
            if outcome.as_ref().err().is_none_or(ToolError::leaves_hands_well) {
                let mut idle = lock(&self.hands);
                if idle.len() < IDLE_HANDS_MAX {
                    idle.push(hands);
                }
            }
            outcome
        })
    }

    /// A name for the nth of something, which nobody can guess.
    pub(super) fn handle(&self, n: u64) -> String {
        const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let digest = Sha256::new()
            .chain_update(self.ground.key)
            .chain_update(self.journal.next().to_le_bytes())
            .chain_update(n.to_le_bytes())
            .finalize();
        let tail = digest.iter().take(8).map(|byte| char::from(DIGITS[usize::from(byte % 32)]));
        format!("bg-{}", tail.collect::<String>())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.jobs).end();
    }
}

impl ToolError {
    /// Whether the jail itself is not there any more.
    fn is_gone(&self) -> bool {
        let error = match self {
            Self::Path { error, .. } | Self::Hands(error) => match error {
                HandsError::Jail(error) => error,
                _ => return false,
            },
            Self::Jail(error) => error,
            _ => return false,
        };
        matches!(error, JailError::Gone)
    }

    /// Whether the hands that said this can be asked again.
    fn leaves_hands_well(&self) -> bool {
        match self {
            Self::Path { error, .. } | Self::Hands(error) => {
                matches!(error, HandsError::Refused(_) | HandsError::TooLarge { .. })
            }
            Self::Argument { .. } | Self::ReadOnly { .. } | Self::Cancelled => true,
            _ => false,
        }
    }
}

/// Who panicked while it had this left it whole: everything is put in at once.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
