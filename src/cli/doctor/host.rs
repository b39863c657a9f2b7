//! What this host gives, a line each, and what to do where it gives too little.

use nix::errno::Errno;

use crate::attack::{Answer, probe};
use crate::jail::{Diagnosis, Gives};

/// One thing that jails are made of.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) value: String,
    /// What to do, where it is not as it should be.
    pub(super) way_out: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Good,
    /// Nothing is in the way, but more could be had.
    Less,
    Missing,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Less => "less",
            Self::Missing => "missing",
        }
    }
}

/// The first Landlock interface that can do without namespaces.
const LANDLOCK_ALONE: u32 = 6;
const NEW_USERS: &str = "268435456";

/// Looks at the host, and tries what can be tried without a jail.
pub(super) fn look() -> Vec<Finding> {
    let gives = Gives::look();
    let mut found = vec![good("kernel", gives.kernel.clone())];
    let users = probe::ask(&["unshare", NEW_USERS]);
    let mounts = probe::ask(&["own", "mount", "tmpfs", "/"]);
    found.push(namespaces("user namespaces", &users, &gives));
    if matches!(users, Answer::Done(_)) {
        found.push(namespaces("mounts in them", &mounts, &gives));
    }
    if matches!(mounts, Answer::Done(_)) {
        found.push(match probe::ask(&["own", "overlay"]) {
            Answer::Done(_) => good("overlay in them", "yes"),
            other => Finding {
                name: "overlay in them".into(),
                state: State::Less,
                value: told(&other),
                way_out: Some(
                    "Boot a kernel of 5.11 or newer with overlayfs, so that repositories need not \
                     be copied."
                        .into(),
                ),
            },
        });
    }
    found.push(match gives.used_up.as_slice() {
        [] => good("limits on namespaces", "none is 0"),
        names => missing("limits on namespaces", format!("{} is 0", names.join(", ")), {
            gives.namespaces(libc::ENOSPC)
        }),
    });
    found.push(match gives.covered.as_slice() {
        [] => good("/proc", "uncovered"),
        paths => Finding {
            name: "/proc".into(),
            state: State::Missing,
            value: format!("covered at {}", paths.join(", ")),
            way_out: Some(
                "Uncover /proc (for a container: `--security-opt systempaths=unconfined`).".into(),
            ),
        },
    });
    found.push(rules_on_files(&gives));
    found.push(match (gives.seccomp, gives.is_filtered) {
        (_, true) => good("seccomp", "yes, and a filter holds casefile itself"),
        (true, false) => good("seccomp", "yes"),
        (false, false) => missing("seccomp", "no", None),
    });
    found.push(match gives.cgroups {
        "none" => Finding {
            name: "cgroups".into(),
            state: State::Less,
            value: "none".into(),
            way_out: Some("Mount cgroups, so that the kernel counts memory for a jail.".into()),
        },
        flavour => good("cgroups", flavour),
    });
    found
}

fn good(name: &'static str, value: impl Into<String>) -> Finding {
    Finding { name: name.into(), state: State::Good, value: value.into(), way_out: None }
}

fn missing(name: &'static str, value: impl Into<String>, diagnosis: Option<Diagnosis>) -> Finding {
    let by = diagnosis.as_ref().and_then(|diagnosis| diagnosis.refused_by.clone());
    let value = match by {
        Some(by) => format!("{} (refused by {by})", value.into()),
        None => value.into(),
    };
    let way_out = diagnosis.map(|diagnosis| diagnosis.way_out);
    Finding { name: name.into(), state: State::Missing, value, way_out }
}

fn namespaces(name: &'static str, answer: &Answer, gives: &Gives) -> Finding {
    let errno = match answer {
        Answer::Done(_) => return good(name, "yes"),
        Answer::Refused(why) => errno(why),
        Answer::Broken(_) | Answer::NotMade(_) => libc::EIO,
    };
    missing(name, told(answer), gives.namespaces(errno))
}

fn rules_on_files(gives: &Gives) -> Finding {
    let name = "Landlock";
    match gives.landlock_abi {
        Ok(abi) if LANDLOCK_ALONE <= abi => good(name, format!("interface {abi}")),
        Ok(abi) => Finding {
            name: name.into(),
            state: State::Less,
            value: format!("interface {abi}; without namespaces it takes {LANDLOCK_ALONE}"),
            way_out: Some(gives.explain_landlock(libc::EOPNOTSUPP).way_out),
        },
        Err(number) => {
            missing(name, Errno::from_raw(number).desc(), Some(gives.explain_landlock(number)))
        }
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Done(_) => "yes".into(),
        Answer::Refused(why) | Answer::Broken(why) => why.clone(),
        Answer::NotMade(why) => (*why).into(),
    }
}

/// The number of an errno that the probe named.
fn errno(why: &str) -> i32 {
    let known = [Errno::EPERM, Errno::EACCES, Errno::ENOSPC, Errno::ENOSYS, Errno::EUSERS];
    let named = known.iter().find(|errno| why.starts_with(&format!("{errno:?} ")));
    named.map_or(libc::EINVAL, |errno| *errno as i32)
}
