//! The keys of one issuer: read when they are first needed, and again when there is a
//! reason to.
//!
//! Keys in a file are read again when the file is another. Keys at an address are asked
//! for again now and then, while those that are known go on to count, and at once when a
//! token names one that is not known, since issuers change them. Nobody can make casefile
//! ask often: there is a pause after each try, and one asks at a time.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::super::store::Stamp;
use super::fetch::fetch;
use super::key::{Key, Published};
use crate::config::Jwks;
use crate::disk::{self, DiskError};

/// Keys are asked for again when they are so old.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// Keys so old do not count, whatever keeps new ones from coming.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The pause after a try.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// A list of keys is no larger, in bytes and in keys.
pub(super) const BYTES_MAX: u64 = 1 << 20;
const KEYS_MAX: usize = 128;

type Failed = Box<dyn Error + Send + Sync>;

/// Where the keys are, and which they were.
#[derive(Debug)]
pub(in super::super) struct Keys {
    place: Jwks,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<Known>,
    /// Held while somebody asks.
    asking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<Arc<Vec<Key>>>,
    /// When they came, and when they were last asked for.
    came: Option<Timestamp>,
    tried: Option<Timestamp>,
    /// The file that they are from, held open so that no other has its number.
    file: Option<(Stamp, File)>,
}

/// There are no keys to check with.
#[derive(Debug, thiserror::Error)]
#[error("the keys of an issuer cannot be had")]
struct NoKeys;

impl Keys {
    pub(super) fn new(place: Jwks) -> Self {
        Self { place, shared: Arc::default() }
    }

    /// The keys, among them one of this name if there is one.
    pub(super) fn fitting(
        &self,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Vec<Key>>, Failed> {
        match &self.place {
            Jwks::File(path) => self.of_file(path),
            Jwks::Url(url) => self.of_url(url, id, now),
        }
    }

    fn of_file(&self, path: &Path) -> Result<Arc<Vec<Key>>, Failed> {
        let file = disk::open(path)?;
        let stamp = Stamp::of(&file).map_err(DiskError::io("read", path))?;
        let mut known = lock(&self.shared.known);
        if let (Some((seen, _)), Some(keys)) = (&known.file, &known.keys)
            && *seen == stamp
        {
            return Ok(keys.clone());
        }
        *known = Known::default();
        let mut bytes = Vec::new();
        (&file).take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(DiskError::io("read", path))?;
        let keys = Arc::new(parsed(&bytes)?);
        *known = Known { keys: Some(keys.clone()), file: Some((stamp, file)), ..Known::default() };
        Ok(keys)
    }

    fn of_url(&self, url: &str, id: Option<&str>, now: Timestamp) -> Result<Arc<Vec<Key>>, Failed> {
        let known = |max| lock(&self.shared.known).younger(max, now);
        let has = |keys: &Vec<Key>| {
            id.is_none_or(|id| keys.iter().any(|key| key.id.as_deref() == Some(id)))
        };
        match known(KEPT) {
            Some(keys) if has(&keys) => {
                if known(FRESH).is_none() {
                    self.ask_beside(url, now);
                }
                Ok(keys)
            }
            other => {
                // Who comes second waits for the first, and has what that one got.
                let _one = lock(&self.shared.asking);
                if let Some(keys) = known(KEPT).filter(|keys| has(keys)) {
                    return Ok(keys);
                }
                let asked = self.shared.ask(url, now);
                match (known(KEPT), asked) {
                    (Some(keys), _) => Ok(keys),
                    (None, Err(failed)) => Err(failed),
                    (None, Ok(())) => other.ok_or_else(|| NoKeys.into()),
                }
            }
        }
    }

    /// Asks while others go on.
    fn ask_beside(&self, url: &str, now: Timestamp) {
        let (shared, url) = (self.shared.clone(), url.to_owned());
        if lock(&shared.known).is_paused(now) {
            return;
        }
        let ask = move || {
            let Ok(_one) = shared.asking.try_lock() else { return };
            // Those that are known go on to count.
            let _ = shared.ask(&url, now);
        };
        // Where there is no thread to be had, the next one tries.
        let _ = std::thread::Builder::new().name("keys".into()).spawn(ask);
    }
}

impl Shared {
    /// Asks for the keys, unless that was just done.
    fn ask(&self, url: &str, now: Timestamp) -> Result<(), Failed> {
        {
            let mut known = lock(&self.known);
            if known.is_paused(now) {
                return Ok(());
            }
            known.tried = Some(now);
        }
        let keys = parsed(&fetch(url)?)?;
        let mut known = lock(&self.known);
        known.keys = Some(Arc::new(keys));
        known.came = Some(now);
        Ok(())
    }
}

impl Known {
    fn younger(&self, max: SignedDuration, now: Timestamp) -> Option<Arc<Vec<Key>>> {
        let is_young = now.duration_since(self.came?) < max;
        self.keys.clone().filter(|_| is_young)
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.tried.is_some_and(|tried| {
            let since = now.duration_since(tried);
            !since.is_negative() && since < PAUSE
        })
    }
}

/// The keys of a list that can check anything. Others are for other uses, or of kinds
/// that are not taken.
fn parsed(bytes: &[u8]) -> Result<Vec<Key>, Failed> {
    #[derive(Deserialize)]
    struct List {
        keys: Vec<Value>,
    }
    if BYTES_MAX < bytes.len() as u64 {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
    }
    let List { keys } = serde_json::from_slice(bytes)?;
    let published =
        keys.into_iter().filter_map(|key| serde_json::from_value::<Published>(key).ok());
    Ok(published.filter_map(Key::of).take(KEYS_MAX).collect())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
