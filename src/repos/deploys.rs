//! Deploy records: which commit went where, and when.
//!
//! A file of JSON lines, or of CSV with a header. It is another program's, so its
//! columns may be called what such programs call them, and those that nobody knows
//! are passed over. What is known is held to: a line that cannot be read is an error
//! with its number, because a deploy that is not seen gives a wrong answer.

#![expect(clippy::disallowed_methods, reason = "a file that the user's settings name")]

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::disk::DiskError;
use crate::hint::Hint;

/// One commit that went live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deploy {
    pub time: Timestamp,
    /// Where to. A file about one place need not say it.
    pub environment: Option<String>,
    /// What. A file about one service need not say it.
    pub service: Option<String>,
    pub commit: String,
}

/// Every deploy of a file, in the order of their times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deploys(Vec<Deploy>);

/// What was live at a time.
#[derive(Debug)]
pub(super) struct Live<'a> {
    pub(super) now: &'a Deploy,
    /// To the same place: those before it, the newest first, and those after it.
    pub(super) earlier: Vec<&'a Deploy>,
    pub(super) later: Vec<&'a Deploy>,
}

/// Why that cannot be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LiveError {
    /// No deploy by then; when the first was.
    None { first: Option<Timestamp> },
    /// Several places, and none is named.
    Which { environments: Vec<String> },
}

/// Why a file of deploy records cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    #[error("{}:{line}: {why}", file.display())]
    Line { file: PathBuf, line: u64, why: String },
    #[error("{}: {why}", file.display())]
    File { file: PathBuf, why: &'static str },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Hint for DeployError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Line { .. } | Self::File { .. } => {
                Some("Each record has a `time` with its zone and a `commit`, and may have `environment` and `service`.".into())
            }
            Self::Disk(error) if error.is_missing() => {
                Some("Correct `deploys` in casefile.yaml, or leave it out.".into())
            }
            Self::Disk(error) => error.hint(),
        }
    }
}

/// What each field may be called, the usual name first.
const TIME: &[&str] = &["time", "timestamp", "at", "date", "datetime", "deployed_at", "created_at"];
const ENVIRONMENT: &[&str] = &["environment", "env", "stage", "target"];
const SERVICE: &[&str] = &["service", "app", "application", "component", "project", "repo"];
const COMMIT: &[&str] = &["commit", "sha", "revision", "rev", "git_sha", "commit_sha", "commit_id"];

const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

impl Deploys {
    /// Reads a file: CSV if its name ends so, JSON lines if that, else by its first
    /// character.
    pub fn read(file: &Path) -> Result<Self, DeployError> {
        let mut bytes = Vec::new();
        // Neither waits at a FIFO nor reads what does not end.
        let mut from = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(file)
            .map_err(DiskError::io("read", file))?;
        let about = from.metadata().map_err(DiskError::io("read", file))?;
        if !about.is_file() {
            return Err(DeployError::File { file: file.into(), why: "it is not a regular file" });
        }
        if FILE_BYTES_MAX < about.len() {
            return Err(DeployError::File { file: file.into(), why: "it is larger than 256 MiB" });
        }
        from.by_ref()
            .take(FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(DiskError::io("read", file))?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let ends = |end: &str| file.extension().is_some_and(|it| it.eq_ignore_ascii_case(end));
        let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_json = ["jsonl", "ndjson", "json"].into_iter().any(ends)
            || (!ends("csv") && begins == Some(&b'{'));
        let mut found = if is_json { of_json(bytes, file)? } else { of_csv(bytes, file)? };
        // Of two at one moment, the later line is the later deploy.
        found.sort_by_key(|deploy| deploy.time);
        Ok(Self(found))
    }

    pub fn all(&self) -> &[Deploy] {
        &self.0
    }

    /// What was live at a time, of one service in one place.
    pub(super) fn live(
        &self,
        at: Timestamp,
        environment: Option<&str>,
        service: &str,
    ) -> Result<Live<'_>, LiveError> {
        let of_it = |deploy: &&Deploy| {
            let same =
                |said: &Option<String>, asked: &str| said.as_deref().is_none_or(|it| it == asked);
            same(&deploy.service, service)
                && environment.is_none_or(|asked| same(&deploy.environment, asked))
        };
        let these: Vec<&Deploy> = self.0.iter().filter(of_it).collect();
        let mut environments: Vec<&String> =
            these.iter().filter_map(|deploy| deploy.environment.as_ref()).collect();
        environments.sort();
        environments.dedup();
        if environment.is_none() && 1 < environments.len() {
            let environments = environments.into_iter().cloned().collect();
            return Err(LiveError::Which { environments });
        }
        let later = these.partition_point(|deploy| deploy.time <= at);
        let Some(now) = later.checked_sub(1) else {
            return Err(LiveError::None { first: these.first().map(|deploy| deploy.time) });
        };
        Ok(Live {
            now: these[now],
            earlier: these[..now].iter().rev().copied().collect(),
            later: these[later..].to_vec(),
        })
    }
}

fn of_json(bytes: &[u8], file: &Path) -> Result<Vec<Deploy>, DeployError> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let failed = |why: String| DeployError::Line { file: file.into(), line, why };
        let record: Map<String, Value> = serde_json::from_slice(text)
            .map_err(|error| failed(format!("not a JSON object: {error}")))?;
        let field = |names: &[&str]| -> Result<Option<String>, DeployError> {
            let known = record.iter().find(|(key, _)| is_one_of(key, names));
            match known {
                None | Some((_, Value::Null)) => Ok(None),
                Some((_, Value::String(text))) => Ok(Some(text.clone())),
                Some((_, Value::Number(number))) => Ok(Some(number.to_string())),
                Some((key, _)) => Err(failed(format!("`{key}` must be text"))),
            }
        };
        let fields = [field(TIME)?, field(ENVIRONMENT)?, field(SERVICE)?, field(COMMIT)?];
        found.push(deploy(fields).map_err(failed)?);
    }
    Ok(found)
}

fn of_csv(bytes: &[u8], file: &Path) -> Result<Vec<Deploy>, DeployError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let bad = |error: csv::Error| DeployError::Line {
        file: file.into(),
        line: error.position().map_or(1, csv::Position::line),
        why: match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("it has {len} fields, and the header {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".into(),
            _ => error.to_string(),
        },
    };
    let header = reader.headers().map_err(bad)?.clone();
    if header.iter().all(str::is_empty) {
        // An empty file: nothing was deployed yet.
        return Ok(Vec::new());
    }
    let column = |names: &[&str]| header.iter().position(|name| is_one_of(name, names));
    let columns = [TIME, ENVIRONMENT, SERVICE, COMMIT].map(column);
    for (column, name) in [(columns[0], "time"), (columns[3], "commit")] {
        if column.is_none() {
            let why = format!("the header names no column `{name}`");
            return Err(DeployError::Line { file: file.into(), line: 1, why });
        }
    }
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let line = record.position().map_or(1, csv::Position::line);
        let fields = columns.map(|column| record.get(column?).map(str::to_owned));
        found.push(deploy(fields).map_err(|why| DeployError::Line {
            file: file.into(),
            line,
            why,
        })?);
    }
    Ok(found)
}

fn is_one_of(key: &str, names: &[&str]) -> bool {
    let plain = key.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    names.contains(&plain.as_str())
}

/// A record out of its fields: time, environment, service, commit.
fn deploy(fields: [Option<String>; 4]) -> Result<Deploy, String> {
    let [time, environment, service, commit] =
        fields.map(|field| field.filter(|text| !text.trim().is_empty()));
    let time = time.ok_or("it has no `time`")?;
    let commit = commit.ok_or("it has no `commit`")?;
    // It is handed to git's own reading of revisions, which has more to offer.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/+".contains(&byte);
    if !commit.bytes().all(plain) || commit.starts_with('-') {
        return Err(format!("`{commit}` is no commit"));
    }
    Ok(Deploy { time: moment(&time)?, environment, service, commit })
}

/// A time with its zone, or seconds since 1970 as logs have them.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        // From 1973 to 5138 in seconds, else in milliseconds.
        let time = match seconds {
            100_000_000..100_000_000_000 => Timestamp::from_second(seconds),
            100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(seconds),
            _ => return Err(format!("`{text}` is no time")),
        };
        return time.map_err(|_| format!("`{text}` is no time"));
    }
    match text.parse::<jiff::civil::DateTime>() {
        Ok(_) => Err(format!("the time `{text}` has no zone; end it with `Z` or an offset")),
        Err(_) => Err(format!("`{text}` is no time")),
    }
}

#[cfg(test)]
mod tests;
