//! Where tokens are kept, and how they come and go.
//!
//! ```text
//! HOME/access/tokens.json     the record, replaced whole
//! HOME/access/lock            who changes it
//! HOME/access/used/<digest>   when one was used last: the time of an empty file
//! ```
//!
//! A server never writes the record, so it cannot lose what others write in it. It holds
//! open the version that it has read. That one's number is then given to no other file,
//! and a version that was put in its place is known by another number, however quickly
//! one followed the other and whatever their times and sizes.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::last_use;
use super::record::{GLOBS_MAX, NoRecord, Record, State, TOKENS_MAX, Token};
use super::{CaseGlob, Secret, TokenName};
use crate::disk::{self, DiskError, Holder, Lock};
use crate::hint::Hint;

/// A larger record is not read.
const RECORD_BYTES_MAX: u64 = 4 << 20;

/// All tokens of a home.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// What a token is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: TokenName,
    pub may_write: bool,
    /// The cases that it sees besides those that are opened with it.
    pub cases: Vec<CaseGlob>,
    pub expires: Option<Timestamp>,
}

/// What can be told of a token.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: TokenName,
    pub state: State,
    pub may_write: bool,
    pub cases: Vec<CaseGlob>,
    pub made: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    pub used: Option<Timestamp>,
}

/// Tokens cannot be had or changed as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("there is a token `{0}` already")]
    Exists(TokenName),
    #[error("there is no token `{name}`")]
    NoSuch { name: TokenName, nearest: Option<String> },
    #[error("there are {TOKENS_MAX} tokens, the most that are kept")]
    Full,
    #[error("a token names at most {GLOBS_MAX} patterns of cases")]
    Globs,
    #[error("`{}` is no record of tokens", path.display())]
    Broken {
        path: PathBuf,
        #[source]
        why: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(name) => Some(format!(
                "Revoke it first with `casefile token revoke {name}`, or choose another name."
            )),
            Self::NoSuch { nearest: Some(nearest), .. } => {
                Some(format!("Did you mean `{nearest}`?"))
            }
            Self::NoSuch { nearest: None, .. } => {
                Some("Run `casefile token list` to see which there are.".into())
            }
            Self::Full => Some("Revoke those that nobody needs.".into()),
            Self::Globs => Some("Write patterns that take in more.".into()),
            Self::Broken { .. } => Some(
                "Until it is mended, or moved away and tokens are made anew, nobody gets in."
                    .into(),
            ),
            Self::Disk(error) => error.hint(),
        }
    }
}

impl Store {
    /// The tokens of a home. They need not be there.
    pub fn new(home: &Path) -> Self {
        Self { dir: home.join("access") }
    }

    /// Makes a token. Its secret is in what this returns, and nowhere else.
    pub fn create(
        &self,
        wanted: Wanted,
        random: [u8; 32],
        holder: &Holder,
    ) -> Result<Secret, StoreError> {
        if GLOBS_MAX < wanted.cases.len() {
            return Err(StoreError::Globs);
        }
        let secret = Secret::new(random);
        let made = holder.since;
        self.change(holder, |record| {
            match record.named(&wanted.name).map(|token| token.state(made)) {
                Some(State::Good) => return Err(StoreError::Exists(wanted.name.clone())),
                // The name of one that lets nobody in any more can be had again.
                Some(State::Expired | State::Revoked) => {
                    record.tokens.retain(|token| token.name != wanted.name);
                }
                None => {}
            }
            if !record.make_room() {
                return Err(StoreError::Full);
            }
            record.tokens.push(Token {
                name: wanted.name.clone(),
                digest: secret.digest(),
                may_write: wanted.may_write,
                cases: wanted.cases.clone(),
                made,
                expires: wanted.expires,
                revoked: None,
            });
            Ok(())
        })?;
        Ok(secret)
    }

    /// Lets nobody in with this token any more. Whether that is new.
    pub fn revoke(&self, name: &TokenName, holder: &Holder) -> Result<bool, StoreError> {
        let mut is_new = false;
        self.change(holder, |record| {
            let Some(token) = record.tokens.iter_mut().find(|token| token.name == *name) else {
                let names = record.tokens.iter().map(|token| token.name.as_str());
                let nearest = crate::hint::nearest(name.as_str(), names).map(Into::into);
                return Err(StoreError::NoSuch { name: name.clone(), nearest });
            };
            is_new = token.revoked.is_none();
            token.revoked.get_or_insert(holder.since);
            Ok(())
        })?;
        Ok(is_new)
    }

    /// All tokens, in the order in which they were made.
    pub fn list(&self, now: Timestamp) -> Result<Vec<Listed>, StoreError> {
        let record = match self.open()? {
            Some(file) => self.read(&file)?,
            None => Record::empty(),
        };
        let listed = |token: Token| Listed {
            state: token.state(now),
            used: last_use::of(&self.last_use_dir(), &token.digest),
            name: token.name,
            may_write: token.may_write,
            cases: token.cases,
            made: token.made,
            expires: token.expires,
            revoked: token.revoked,
        };
        Ok(record.tokens.into_iter().map(listed).collect())
    }

    /// Changes the record, alone. What is refused changes nothing.
    fn change(
        &self,
        holder: &Holder,
        change: impl FnOnce(&mut Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        disk::directory(&self.last_use_dir())?;
        let _lock = Lock::wait(&self.dir.join("lock"), holder, |_| {})?;
        let mut record = match self.open()? {
            Some(file) => self.read(&file)?,
            None => Record::empty(),
        };
        let before = record.clone();
        change(&mut record)?;
        if record != before {
            let text = record.emit().map_err(|error| self.broken(error))?;
            disk::replace(&self.record(), text.as_bytes())?;
            let digests: Vec<_> = record.tokens.iter().map(|token| &token.digest).collect();
            // What is left there harms nobody.
            let _ = last_use::forget_others(&self.last_use_dir(), &digests);
        }
        Ok(())
    }

    fn record(&self) -> PathBuf {
        self.dir.join("tokens.json")
    }

    pub(super) fn last_use_dir(&self) -> PathBuf {
        self.dir.join("used")
    }

    pub(super) fn watched(self) -> Watched {
        Watched { store: self, seen: Mutex::default() }
    }

    fn open(&self) -> Result<Option<File>, StoreError> {
        match disk::open(&self.record()) {
            Err(error) if error.is_missing() => Ok(None),
            opened => Ok(Some(opened?)),
        }
    }

    fn read(&self, file: &File) -> Result<Record, StoreError> {
        let mut bytes = Vec::new();
        let read = file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(DiskError::io("read", &self.record()))?;
        if RECORD_BYTES_MAX < bytes.len() as u64 {
            return Err(self.broken(io::Error::from(io::ErrorKind::FileTooLarge)));
        }
        Record::parse(&bytes).map_err(|error: NoRecord| self.broken(error))
    }

    fn broken(&self, why: impl std::error::Error + Send + Sync + 'static) -> StoreError {
        StoreError::Broken { path: self.record(), why: Box::new(why) }
    }
}

/// The record as it is now, read again only when it is another.
#[derive(Debug)]
pub(super) struct Watched {
    store: Store,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug)]
struct Seen {
    stamp: Stamp,
    record: Arc<Record>,
    /// Keeps its number from being given to another file.
    _file: File,
}

/// What tells one version from another. The times and the size are for one who edits the
/// file where it lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    size: u64,
    changed: [(i64, i64); 2],
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self {
            file: (about.dev(), about.ino()),
            size: about.len(),
            changed: [(about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec())],
        })
    }
}

impl Watched {
    pub(super) fn now(&self) -> Result<Arc<Record>, StoreError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Opened each time: where files are shared over a network, only this asks anew.
        let Some(file) = self.store.open()? else {
            *seen = None;
            return Ok(Arc::new(Record::empty()));
        };
        let stamp = Stamp::of(&file).map_err(DiskError::io("read", &self.store.record()))?;
        if let Some(seen) = &*seen
            && seen.stamp == stamp
        {
            return Ok(seen.record.clone());
        }
        // What was seen before counts no longer, whatever comes of this.
        *seen = None;
        let record = Arc::new(self.store.read(&file)?);
        *seen = Some(Seen { stamp, record: record.clone(), _file: file });
        Ok(record)
    }
}
