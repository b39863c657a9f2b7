//! A case with its tools, for the commands that call one: what a session is made of,
//! as far as only `cli` can see it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};

use super::diff;
use super::entered::Entered;
use super::report::{Failure, Turn, print, with_causes};
use super::surroundings::Surroundings;
use crate::case::inside;
use crate::config::Settings;
use crate::config::limits::Limit;
use crate::disk;
use crate::hint::Hint;
use crate::jail::Zygote;
use crate::outputs::redact::KNOWN_BYTES_MAX;
use crate::outputs::{Budget, Known, RedactError, Secrets};
use crate::tools::{Call, Ground, Opened, Reply, Session, Start, Stop, ToolError, Unopened};
use crate::world::World;

/// The key is a file of so many bytes.
const KEY: &str = "redaction.key";
const KEY_BYTES: usize = 16;
const KEY_FILE_BYTES_MAX: usize = 64 * 1024;
/// A file of secrets is not larger.
const SECRETS_BYTES_MAX: usize = 1024 * 1024;
/// What is shorter is not taken for a secret because of the name of its variable.
const VALUE_BYTES_MIN: usize = 8;

/// Does one thing in a case, and prints what it shows.
pub(super) fn call(
    given: &str,
    around: &Surroundings,
    as_whom: &str,
    call: &Call,
) -> Result<ExitCode, Failure> {
    let stop = stop_on_signals()?;
    let session = begin(given, around, as_whom)?;
    let reply = session.call(call, true, &stop).map_err(failed)?;
    drop(session);
    tell(&reply)
}

/// What it came to, where a person reads it.
fn tell(reply: &Reply) -> Result<ExitCode, Failure> {
    if let Some(code) = reply.status {
        print(reply.shown.text())?;
        return Ok(ExitCode::from(code));
    }
    if reply.is_error {
        super::report::print_error(reply.shown.text());
        return Ok(ExitCode::from(Turn::User as u8));
    }
    print(reply.shown.text())
}

/// A case with its tools. The jail is opened when it is first needed.
pub(super) fn begin(given: &str, around: &Surroundings, as_whom: &str) -> Result<Session, Failure> {
    let entered = Entered::enter(given, around, as_whom)?;
    let (key, secrets) = secrets(&entered.settings, around)?;
    let limits = &entered.prepared.limits;
    let base = match entered.is_copied() {
        true => entered.repos_at.parent().unwrap_or(Path::new("/")),
        false => Path::new(inside::WORLD),
    };
    let outputs_at = match entered.is_copied() {
        true => entered.dir().join("outputs"),
        false => inside::OUTPUTS.into(),
    };
    let code = entered.manifest.repos.iter().map(|repo| {
        // Without them git says so when it is asked to compare, and all else can be done.
        let objects = diff::objects(&entered, repo, around).unwrap_or_default();
        diff::code(&entered, repo, objects)
    });
    let code = code.collect();
    let ground = Ground {
        code,
        case: entered.dir(),
        policy: entered.policy.clone(),
        start: Start {
            env: entered.prepared.env.clone(),
            limits: limits.clone(),
            cwd: entered.start.clone(),
            base: base.into(),
        },
        secrets,
        budget: Budget::new(usize::try_from(limits.get(Limit::Shown)).unwrap_or(usize::MAX)),
        outputs_bytes_max: limits.get(Limit::Outputs).saturating_mul(1024 * 1024),
        outputs_at,
        open: Box::new(move || open(&entered)),
        clock: Box::new(Surroundings::clock),
        key,
    };
    Session::begin(ground).map_err(failed)
}

/// A jail of the case, in which nobody is yet.
fn open(entered: &Entered) -> Result<Opened, Unopened> {
    fn told(error: &dyn Hint) -> Unopened {
        Unopened { what: with_causes(error), hint: error.hint() }
    }
    World::ready(&entered.layered).map_err(|error| told(&error))?;
    let zygote = Zygote::start_for_one().map_err(|error| told(&error))?;
    let jail = zygote.open(&entered.prepared.plan).map_err(|error| told(&error))?;
    Ok(Opened { jail, zygote })
}

/// What is never shown, in a case or beside one.
pub(super) fn known_secrets(around: &Surroundings) -> Result<Arc<Secrets>, Failure> {
    let (settings, _) = around.trusted()?;
    Ok(secrets(&settings, around)?.1)
}

/// What is never shown, and the key by which equal secrets are seen to be equal.
fn secrets(
    settings: &Settings,
    around: &Surroundings,
) -> Result<([u8; KEY_BYTES], Arc<Secrets>), Failure> {
    let home = settings.home().map_err(Failure::user)?;
    disk::directory(home).map_err(Failure::user)?;
    let key = key(&home.join(KEY), around)?;
    let mut known = Vec::new();
    let asked = &settings.secrets().variables;
    for name in around.variables() {
        let is_asked = asked.iter().any(|asked| asked.value == name);
        let Some(value) = around.variable(&name) else { continue };
        let value = std::os::unix::ffi::OsStringExt::into_vec(value);
        let by_name = || {
            // What stands for it would hold it: no secret is its own name.
            let mark = format!("[redacted: {} #", name_of(&name)).into_bytes();
            let is_own_name = mark.windows(value.len().max(1)).any(|part| part == value);
            is_secret(&name) && VALUE_BYTES_MIN <= value.len() && !is_own_name
        };
        if is_asked || by_name() {
            // Of one that is very long, its beginning has to do.
            let value = value[..value.len().min(KNOWN_BYTES_MAX)].to_vec();
            known.push(Known { name: name_of(&name), value });
        }
    }
    for file in &settings.secrets().files {
        let bytes = disk::read_small(&file.value, SECRETS_BYTES_MAX).map_err(Failure::user)?;
        let bytes = bytes.ok_or_else(|| Failure::user(NoSecrets(file.value.clone())))?;
        let name = file.value.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        known.extend(
            lines
                .filter(|line| !line.is_empty())
                .map(|line| Known { name: name_of(&name), value: line.to_vec() }),
        );
    }
    let secrets = Secrets::new(key, known).map_err(|error: RedactError| Failure::user(error))?;
    Ok((key, Arc::new(secrets)))
}

/// Whether the name of a variable says that its value is nobody's business.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY", "CREDENTIALS"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// What a secret is called where it stood.
fn name_of(given: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = given.chars().take(40).map(plain).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "secret".into() } else { name.into() }
}

fn key(path: &Path, around: &Surroundings) -> Result<[u8; KEY_BYTES], Failure> {
    // One of another length is none, and a new one takes its place.
    if let Some(bytes) = disk::read_small(path, KEY_FILE_BYTES_MAX).map_err(Failure::user)?
        && let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes)
    {
        return Ok(key);
    }
    let key = around.random()?;
    disk::replace(path, &key).map_err(Failure::user)?;
    Ok(key)
}

/// A file of secrets that is set is not there.
#[derive(Debug, thiserror::Error)]
#[error("the file of secrets `{}` is not there", .0.display())]
struct NoSecrets(std::path::PathBuf);

impl Hint for NoSecrets {
    fn hint(&self) -> Option<String> {
        Some("Create it, or take it out of `secrets: {files: ...}` in casefile.yaml.".into())
    }
}

/// The first signal that asks this process to end ends the call instead, which is told
/// like any other; the second one is not waited for.
fn stop_on_signals() -> Result<Arc<Stop>, Failure> {
    let broken = |error: std::io::Error| Failure::new(Turn::Ours, ToolError::Streams(error));
    let stop = Arc::new(Stop::default());
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block().map_err(|errno| broken(errno.into()))?;
    let waiting = stop.clone();
    let wait = move || {
        if signals.wait().is_ok() {
            waiting.stop();
        }
        let _ = signals.thread_unblock();
    };
    std::thread::Builder::new().name("signals".into()).spawn(wait).map_err(broken)?;
    Ok(stop)
}

fn failed(error: ToolError) -> Failure {
    match error {
        ToolError::Unopened(_) | ToolError::Jail(_) => Failure::new(Turn::Jail, error),
        error => Failure::user(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_secret, name_of};

    #[test]
    fn the_names_of_variables_that_hold_secrets() {
        for name in ["GITHUB_TOKEN", "aws_secret", "DB_PASSWORD", "ANTHROPIC_API_KEY"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "KEYBOARD", "TOKENIZERS_PARALLELISM", "HOME"] {
            assert!(!is_secret(name), "{name}");
        }
        for (given, want) in [("DB_URL", "db-url"), ("_", "secret"), (".pass", "pass")] {
            assert_eq!(name_of(given), want);
        }
    }
}
