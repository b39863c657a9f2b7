//! What casefile keeps: whether the mirrors are whole, the cases can be opened, and
//! there is room for more. Looked at only where there is something.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::host::{Finding, State};
use super::{run_nothing, told};
use crate::case::{self, Home, Listed, Manifest};
use crate::cli::prepared::{Prepared, Shows, jail};
use crate::cli::report::{Failure, with_causes};
use crate::cli::surroundings::Surroundings;
use crate::config::Settings;
use crate::disk;
use crate::hint::Hint;
use crate::jail::JailError;
use crate::jail::plan::Layered;
use crate::jail::policy::{Policy, Strength};
use crate::repos::{Fault, Mirror, RepoError, Store, snapshot};
use crate::world::leftovers;

/// With less room than this a snapshot may not fit, or a case may not be worked in.
const SPACE_MIB_MIN: u64 = 1024;
const FILES_MIN: u64 = 100_000;
/// A clock that was this far ahead when a case was opened is worth a word.
const AHEAD_S_MAX: i64 = 60 * 60;

/// All there is to say of the store and the cases; nothing, if there are none.
pub(super) fn look(
    policy: Option<&Policy>,
    settings: &Settings,
    around: &Surroundings,
) -> Result<Vec<Finding>, Failure> {
    let home = settings.home().map(Home::new).map_err(Failure::user)?;
    if !disk::stands(home.path()) {
        return Ok(Vec::new());
    }
    let store = Store::of(&home);
    let mut found = mirrors(&store);
    found.extend(cases(&home, &store, around));
    if disk::stands(store.path()) {
        found.push(left(&home, around));
        let namespaces = policy.filter(|policy| policy.least.value == Strength::Namespaces);
        found.extend(namespaces.map(|policy| overlay(&store, policy, settings, around)));
    }
    found.push(room(home.path()));
    Ok(found)
}

fn mirrors(store: &Store) -> Vec<Finding> {
    let all = match Mirror::list(store) {
        Ok(all) => all,
        Err(error) => return vec![broken("mirrors", &error)],
    };
    let mut found = Vec::new();
    for known in &all {
        let name = format!("mirror {}", known.name);
        let mirror = match &known.mirror {
            Ok(mirror) => mirror,
            Err(error) => {
                found.push(broken(name, error));
                continue;
            }
        };
        let again = format!(
            "Take it in again: `casefile repo rm {0}`, then `casefile repo add {0} {1}`.",
            known.name,
            mirror.about.source().shown()
        );
        found.extend(mirror.check().into_iter().map(|fault| {
            let value = fault.to_string();
            let way_out = match fault {
                Fault::Unreadable { way_out, .. } => way_out,
                Fault::Ref { .. } => {
                    Some(format!("Fetch it again: `casefile repo fetch {}`.", known.name))
                }
                _ => None,
            };
            let way_out = Some(way_out.unwrap_or_else(|| again.clone()));
            Finding { name: name.clone(), state: State::Missing, value, way_out }
        }));
    }
    if found.is_empty() && !all.is_empty() {
        found.push(good("mirrors", format!("{}, whole as far as their ends tell", all.len())));
    }
    found
}

fn cases(home: &Home, store: &Store, around: &Surroundings) -> Vec<Finding> {
    let all = match case::list(home) {
        Ok(all) => all,
        Err(error) => return vec![broken("cases", &error)],
    };
    let mut found = Vec::new();
    let (mut open, mut ahead) = (0, None);
    for Listed { name, case } in &all {
        let name = format!("case {}", name.to_string_lossy());
        match case {
            Ok(case) => {
                ahead = ahead.max(Some(case.manifest.origin.opened));
                if case.manifest.closed.is_none() {
                    open += 1;
                    found.extend(needs(&name, store, &case.manifest));
                }
            }
            Err(error) => {
                let mut finding = broken(name, error);
                let way_out = || "Mend its `case.yaml`, or remove it with `casefile rm`.".into();
                finding.way_out = finding.way_out.or_else(|| Some(way_out()));
                found.push(finding);
            }
        }
    }
    if found.is_empty() && !all.is_empty() {
        found.push(good("cases", format!("{open} open of {}", all.len())));
    }
    let now = around.now();
    if let Some(newest) = ahead.filter(|it| AHEAD_S_MAX < it.duration_since(now).as_secs()) {
        found.push(Finding {
            name: "clock".into(),
            state: State::Less,
            value: format!("it is {now:.0}, and a case was opened on {newest:.0}"),
            way_out: Some("Set the clock: times without a date are taken from it.".into()),
        });
    }
    found
}

/// What an open case lacks.
fn needs(name: &str, store: &Store, manifest: &Manifest) -> Vec<Finding> {
    let mut found = Vec::new();
    for repo in &manifest.repos {
        let mirror = repo.mirror();
        match Mirror::open(store, mirror) {
            Err(RepoError::NoSuch { .. }) => found.push(Finding {
                name: name.into(),
                state: State::Missing,
                value: format!("the mirror of `{mirror}` is not there any more"),
                way_out: Some(format!(
                    "Bring it back with `casefile repo add {mirror} {}`.",
                    repo.from
                )),
            }),
            // It is told of by itself.
            Err(_) => {}
            Ok(_) => match snapshot::find(store, mirror, &repo.tree) {
                Ok(Some(_)) => {}
                Ok(None) => found.push(Finding {
                    name: name.into(),
                    state: State::Less,
                    value: format!("the snapshot of `{mirror}` is gone or damaged"),
                    way_out: Some("Nothing needs to be done: it is made again when wanted.".into()),
                }),
                Err(error) => found.push(broken(name, &error)),
            },
        }
    }
    found
}

fn left(home: &Home, around: &Surroundings) -> Finding {
    match leftovers(home, &around.holder("casefile doctor")) {
        Ok(Some(left)) if left.is_empty() => good("leftovers", "none"),
        Ok(Some(left)) => Finding {
            name: "leftovers".into(),
            state: State::Less,
            value: format!("{} of killed commands", left.len()),
            way_out: Some("Run `casefile gc`.".into()),
        },
        Ok(None) => good("leftovers", "not looked for, since the store is in use"),
        Err(error) => broken("leftovers", &error),
    }
}

/// Lays an overlay on the store's own file system, as the jail of a case has it.
fn overlay(store: &Store, policy: &Policy, settings: &Settings, around: &Surroundings) -> Finding {
    let attempt = || {
        let trash = store.trash();
        disk::directory(&trash).map_err(Failure::user)?;
        // Where `casefile gc` finds it if nobody else removes it.
        let dir = tempfile::Builder::new()
            .prefix("doctor-")
            .tempdir_in(&trash)
            .map_err(|error| jail(JailError::Start(error)))?;
        let [below, changes] = ["below", "changes"].map(|name| dir.path().join(name));
        for dir in [&below, &changes.join("upper"), &changes.join("work")] {
            disk::directory(dir).map_err(Failure::user)?;
        }
        let at = "/case/repos/doctor".into();
        let layered = vec![Layered { at, below: vec![below], changes, durable: false }];
        let shown = policy.shown(dir.path(), &[]).map_err(Failure::user)?;
        let shows = Shows { shown, layered, program_at: None };
        let prepared = Prepared::new(policy, settings, shows, around)?;
        run_nothing(&prepared).map_err(jail)?;
        drop(prepared);
        // The kernel left directories in `work` that say nothing any more.
        disk::trash::empty(dir.path()).map_err(Failure::user)
    };
    let name = "overlay on it";
    match attempt() {
        Ok(()) => good(name, "yes"),
        Err(failure) => {
            let (value, way_out) = told(failure);
            let way_out = way_out.unwrap_or_else(|| {
                "Set `home` in casefile.yaml to a directory on another file system, or use \
                 `landlock-only`, for which the code is copied."
                    .into()
            });
            Finding { name: name.into(), state: State::Missing, value, way_out: Some(way_out) }
        }
    }
}

fn room(home: &Path) -> Finding {
    let name = "room";
    let about = match statvfs(home) {
        Ok(about) => about,
        Err(errno) => {
            let (value, way_out) = (errno.desc().to_owned(), None);
            return Finding { name: name.into(), state: State::Less, value, way_out };
        }
    };
    let mib = about.blocks_available().saturating_mul(about.fragment_size()) / (1024 * 1024);
    // Some file systems make them as they need them, and say 0.
    let files = Some(about.files_available()).filter(|_| 0 < about.files());
    let value = match files {
        Some(files) => format!("{mib} MiB and {files} files free"),
        None => format!("{mib} MiB free"),
    };
    if SPACE_MIB_MIN <= mib && files.is_none_or(|files| FILES_MIN <= files) {
        return good(name, value);
    }
    let way_out = Some(
        "Close cases that are over and run `casefile gc`, or set `home` in casefile.yaml to a \
         directory on another file system."
            .into(),
    );
    Finding { name: name.into(), state: State::Less, value, way_out }
}

fn good(name: &str, value: impl Into<String>) -> Finding {
    Finding { name: name.into(), state: State::Good, value: value.into(), way_out: None }
}

fn broken(name: impl Into<String>, error: &(impl Hint + ?Sized)) -> Finding {
    Finding {
        name: name.into(),
        state: State::Missing,
        value: with_causes(error),
        way_out: error.hint(),
    }
}
