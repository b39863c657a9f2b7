//! From what policies say to one that holds: every value checked where it
//! stands, the parts merged in order.

use std::ffi::OsStr;
use std::path::Path;

use super::mount::place;
use super::rule::{begins_with, is_variable};
use super::{
    BadMount, Line, Mode, Mount, Network, Policy, Rule, Strength, Told, Workdir, raw, split,
};
use crate::config::PolicyName;
use crate::config::limits::{Limit, Limits, TABLE};
use crate::hint::Hint;
use crate::yaml::{self, Located, Pairs, Place, Placed};

/// One file of the ones that a policy is merged from.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: PolicyName,
    pub(super) file: Box<Path>,
    pub(super) raw: raw::Raw,
}

/// The longest text that is shown in one line.
const LINE_CHARS_MAX: usize = 300;

/// The longest value of a variable.
const VALUE_BYTES_MAX: usize = 4096;

impl Part {
    /// Reads a file and checks what can be checked without the others.
    pub(super) fn read(name: &PolicyName, file: &Path, bytes: &[u8]) -> Result<Self, Located> {
        let raw: raw::Raw = yaml::parse(bytes, file)?;
        let part = Self { name: name.clone(), file: file.into(), raw };
        if part.raw.name.value != name.as_str() {
            let what =
                format_args!("the name is `{}`, and the file's is `{name}`", part.raw.name.value);
            return Err(part.wrong(part.raw.name.at, what).hint("Give both the same name."));
        }
        part.one_line("about", &part.raw.about)?;
        Ok(part)
    }

    pub(super) fn wrong(&self, at: Place, what: impl std::fmt::Display) -> Located {
        Located::at(&self.file, at, what)
    }

    fn line(&self, at: Place) -> Line {
        Line { policy: self.name.clone(), file: self.file.to_path_buf(), at }
    }

    /// A single value, which may stand where a default stood.
    fn chosen<T>(&self, at: Place, value: T) -> Told<T> {
        Told { value, by: Some(self.line(at)) }
    }

    fn told<T>(&self, at: Place, value: T) -> Told<T, Line> {
        Told { value, by: self.line(at) }
    }

    fn one_line(&self, key: &str, text: &Placed<String>) -> Result<String, Located> {
        let line = text.value.trim();
        if line.is_empty() || line.contains(char::is_control) {
            return Err(
                self.wrong(text.at, format_args!("`{key}` must say something, in one line"))
            );
        }
        if line.chars().count() > LINE_CHARS_MAX {
            let what = format_args!("`{key}` is longer than {LINE_CHARS_MAX} characters");
            return Err(self.wrong(text.at, what));
        }
        Ok(line.into())
    }
}

/// Merges parts, the included ones first. The last gives the name.
pub(super) fn merge(parts: &[Part], last: &Part) -> Result<Policy, Located> {
    let mut policy = Policy {
        name: last.name.clone(),
        about: last.one_line("about", &last.raw.about)?,
        parts: parts.iter().map(|part| part.name.clone()).collect(),
        least: Told::default(Strength::Namespaces),
        workdir: Told::default(Workdir::Hidden),
        grants_read: Told::default(true),
        grants_write: Told::default(true),
        files_read: Vec::new(),
        mounts: Vec::new(),
        network: Told::default(Network::None),
        local_sockets: Told::default(false),
        env_pass: Vec::new(),
        env_set: Vec::new(),
        rules: Vec::new(),
        limits: [const { None }; TABLE.len()],
    };
    for part in parts.iter().chain([last]) {
        policy.take(part)?;
    }
    policy.parts.push(last.name.clone());
    if policy.least.value == Strength::Landlock && policy.local_sockets.value {
        let said = |part: &&Part| part.raw.local_sockets.as_ref().map(|said| said.at);
        let by = parts.iter().chain([last]).rev().find(|part| said(part).is_some());
        return Err(by
            .map_or_else(
                || last.wrong(last.raw.about.at, SOCKETS_OF_THE_HOST),
                |part| part.wrong(said(&part).unwrap_or(part.raw.about.at), SOCKETS_OF_THE_HOST),
            )
            .hint("Leave it out, or choose `least: namespaces`."));
    }
    Ok(policy)
}

/// No rule of Landlock's says which sockets can be talked to by their name.
const SOCKETS_OF_THE_HOST: &str = "`local_sockets` without namespaces would be all of the host's";

impl Policy {
    /// Lets a part have its say over those before it.
    fn take(&mut self, part: &Part) -> Result<(), Located> {
        self.take_choices(part)?;
        self.take_files(part)?;
        self.take_limits(part, &part.raw.limits)?;
        self.take_env(part)?;
        for command in &part.raw.commands {
            self.rules.push(rule(part, command)?);
        }
        Ok(())
    }

    fn take_choices(&mut self, part: &Part) -> Result<(), Located> {
        if let Some(least) = &part.raw.least {
            let value = match least.value {
                raw::Strength::Namespaces => Strength::Namespaces,
                raw::Strength::Landlock => Strength::Landlock,
            };
            self.least = part.chosen(least.at, value);
        }
        if let Some(workdir) = &part.raw.workdir {
            let value = match workdir.value {
                raw::Workdir::Hidden => Workdir::Hidden,
                raw::Workdir::Read => Workdir::Read,
                raw::Workdir::Write => Workdir::Write,
            };
            self.workdir = part.chosen(workdir.at, value);
        }
        if let Some(network) = &part.raw.network {
            let value = match network.value {
                raw::Network::None => Network::None,
                raw::Network::Loopback => Network::Loopback,
                raw::Network::Host => Network::Host,
                raw::Network::Allow(_) => {
                    return Err(part
                        .wrong(network.at, "a network of named hosts cannot be had yet")
                        .hint("Use `none`, `loopback` or `host`."));
                }
            };
            self.network = part.chosen(network.at, value);
        }
        if let Some(allowed) = &part.raw.local_sockets {
            self.local_sockets = part.chosen(allowed.at, allowed.value);
        }
        if let Some(read) = &part.raw.grants.read {
            self.grants_read = part.chosen(read.at, read.value);
        }
        if let Some(write) = &part.raw.grants.write {
            self.grants_write = part.chosen(write.at, write.value);
        }
        Ok(())
    }

    fn take_files(&mut self, part: &Part) -> Result<(), Located> {
        let bad = |at, bad: BadMount| part.wrong(at, &bad).maybe_hint(bad.hint());
        for path in &part.raw.files.read {
            let checked = place(OsStr::new(&path.value)).map_err(|error| bad(path.at, error))?;
            self.files_read.push(part.told(path.at, checked));
        }
        for raw::MountAt { from, to, mode } in &part.raw.files.mounts {
            let mode = match mode {
                raw::Mode::Read => Mode::Read,
                raw::Mode::Write => Mode::Write,
            };
            let mount = Mount {
                from: place(OsStr::new(&from.value)).map_err(|error| bad(from.at, error))?,
                to: place(OsStr::new(&to.value)).map_err(|error| bad(to.at, error))?,
                mode,
            };
            self.mounts.push(part.told(from.at, mount));
        }
        Ok(())
    }

    fn take_limits(&mut self, part: &Part, limits: &Pairs<Placed<u64>>) -> Result<(), Located> {
        let mut bounds = Limits::default();
        for (key, value) in &limits.0 {
            let limit = Limit::from_key(&key.value).ok_or_else(|| {
                yaml::unknown_key(key, TABLE.iter().map(|row| row.key), &part.file)
            })?;
            bounds.set(limit, value.value).map_err(|out| part.wrong(value.at, out))?;
            self.limits[limit as usize] = Some(part.told(value.at, value.value));
        }
        Ok(())
    }

    fn take_env(&mut self, part: &Part) -> Result<(), Located> {
        for name in &part.raw.env.pass {
            variable(part, name)?;
            if !self.env_pass.iter().any(|passed| passed.value == name.value) {
                self.env_pass.push(part.told(name.at, name.value.clone()));
            }
        }
        for (name, value) in &part.raw.env.set.0 {
            variable(part, name)?;
            if value.value.contains('\0') || value.value.len() > VALUE_BYTES_MAX {
                let what = format_args!(
                    "`{}` has a NUL in it or is longer than {VALUE_BYTES_MAX} bytes",
                    name.value
                );
                return Err(part.wrong(value.at, what));
            }
            let told = part.told(value.at, value.value.clone());
            match self.env_set.iter_mut().find(|(set, _)| *set == name.value) {
                Some((_, set)) => *set = told,
                None => self.env_set.push((name.value.clone(), told)),
            }
        }
        Ok(())
    }
}

fn variable(part: &Part, name: &Placed<String>) -> Result<(), Located> {
    if is_variable(&name.value) {
        return Ok(());
    }
    let what = format_args!("{:?} cannot be the name of a variable", name.value);
    Err(part.wrong(name.at, what).hint("Use letters, digits and `_`, a digit not first."))
}

/// A rule that has a reason and holds its own examples.
fn rule(part: &Part, command: &raw::Command) -> Result<Rule, Located> {
    let prefix = &command.prefix.value;
    let at = command.prefix.at;
    let first = prefix.first().map_or("", String::as_str);
    if first.is_empty()
        || first.contains(['/', '='])
        || prefix.iter().any(|word| word.contains('\0'))
    {
        return Err(part
            .wrong(at, "a rule must begin with the bare name of a program")
            .hint("Write `prefix: [git, push]`: the name without a path, then words."));
    }
    let rule = Rule {
        prefix: prefix.clone(),
        why: part.one_line("why", &command.why)?,
        by: part.line(at),
    };
    for (key, examples, want) in
        [("matches", &command.matches, true), ("misses", &command.misses, false)]
    {
        if examples.value.is_empty() {
            return Err(part
                .wrong(examples.at, format_args!("`{key}` has no example"))
                .hint("Give one at least: examples are tried every time the policy is read."));
        }
        for example in &examples.value {
            try_out(part, &rule, example, want)?;
        }
    }
    Ok(rule)
}

fn try_out(part: &Part, rule: &Rule, example: &Placed<String>, want: bool) -> Result<(), Located> {
    let shown: String = example.value.chars().take(80).collect();
    let words = split(&example.value)
        .map_err(|error| part.wrong(example.at, format_args!("in `{shown}` {error}")))?;
    let prefix = rule.prefix.join(" ");
    let what = match (begins_with(&words, &rule.prefix), want) {
        (false, true) => format!("`{shown}` should match, and does not begin with `{prefix}`"),
        (true, false) => format!("`{shown}` should miss, and begins with `{prefix}`"),
        _ => return Ok(()),
    };
    Err(part.wrong(example.at, what).hint("Mend the rule, or the example."))
}
