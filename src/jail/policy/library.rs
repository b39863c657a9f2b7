//! Where policies come from: the ones built into the program, and the user's own
//! beside `casefile.yaml`, which win over a built-in one of the same name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Policy;
use super::check::{Part, merge};
use crate::config::{BadName, PolicyName};
use crate::hint::{Hint, nearest};
use crate::yaml::{self, Located, Placed};

/// The policies that can be had by name.
#[derive(Clone, Debug, Default)]
pub struct Library {
    dir: Option<PathBuf>,
    /// What the files there say, if they were read already.
    said: Option<BTreeMap<PathBuf, Vec<u8>>>,
}

/// A policy cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    #[error("there is no policy `{name}`")]
    Unknown { name: String, known: Vec<String> },
    #[error("the policy `{name}` is only there to be included")]
    Alone { name: PolicyName },
    #[error(transparent)]
    Name(#[from] BadName),
    /// What a file says is wrong, or it cannot be read.
    #[error(transparent)]
    Written(#[from] Located),
}

/// The text of a policy and what to call its file.
#[derive(Debug)]
struct Text {
    file: PathBuf,
    bytes: Cow<'static, [u8]>,
}

#[rustfmt::skip]
const BUILT_IN: [(&str, &str); 5] = [
    ("base",          include_str!("../../../sandbox-policy/base.yaml")),
    ("landlock-only", include_str!("../../../sandbox-policy/landlock-only.yaml")),
    ("offline",       include_str!("../../../sandbox-policy/offline.yaml")),
    ("open-network",  include_str!("../../../sandbox-policy/open-network.yaml")),
    ("read-only",     include_str!("../../../sandbox-policy/read-only.yaml")),
];

/// What every policy builds on; a jail of it alone would be nobody's intention.
const BASE: &str = "base";

/// More files than this are not one policy.
const PARTS_MAX: usize = 16;

impl Library {
    /// The built-in policies, and those of a directory if there is one.
    pub fn new(dir: Option<&Path>) -> Self {
        Self { dir: dir.map(Path::to_path_buf), said: None }
    }

    /// The policies of a directory whose files were read already.
    pub fn of(dir: &Path, said: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self { dir: Some(dir.into()), said: Some(said) }
    }

    /// A policy by its name, as it was typed or set.
    pub fn named(&self, name: &str) -> Result<Policy, PolicyError> {
        self.load(&PolicyName::new(name)?)
    }

    /// A policy, merged and checked.
    pub fn load(&self, name: &PolicyName) -> Result<Policy, PolicyError> {
        let Some(text) = self.find(name)? else {
            let known = self.names()?.iter().map(ToString::to_string).collect();
            return Err(PolicyError::Unknown { name: name.to_string(), known });
        };
        if name.as_str() == BASE {
            return Err(PolicyError::Alone { name: name.clone() });
        }
        Ok(self.read(&text.file, &text.bytes)?)
    }

    /// What `bytes` say as the policy of this file, whose name they must give.
    /// What they include is looked for here.
    pub fn read(&self, file: &Path, bytes: &[u8]) -> Result<Policy, Located> {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let name = PolicyName::new(&stem).map_err(|bad| {
            Located::whole(file, format_args!("the file is named wrongly: {bad}"))
                .maybe_hint(bad.hint())
        })?;
        let last = Part::read(&name, file, bytes)?;
        let mut parts = Vec::new();
        self.gather(&last, &mut vec![name], &mut parts)?;
        merge(&parts, &last)
    }

    /// Every name there is a policy of, `base` among them.
    pub fn names(&self) -> Result<BTreeSet<PolicyName>, Located> {
        let mut names = self.own_names()?;
        names.extend(BUILT_IN.iter().filter_map(|(name, _)| PolicyName::new(name).ok()));
        Ok(names)
    }

    /// Whether a policy is only there to be included.
    pub fn is_included_only(name: &PolicyName) -> bool {
        name.as_str() == BASE
    }

    /// The file that a name stands for here.
    pub fn file(&self, name: &PolicyName) -> Result<Option<PathBuf>, Located> {
        Ok(self.find(name)?.map(|text| text.file))
    }

    /// Reads what a part includes, each file once, the deepest first.
    fn gather(
        &self,
        part: &Part,
        path: &mut Vec<PolicyName>,
        parts: &mut Vec<Part>,
    ) -> Result<(), Located> {
        for wanted in &part.raw.include {
            let name = PolicyName::new(&wanted.value)
                .map_err(|bad| part.wrong(wanted.at, &bad).maybe_hint(bad.hint()))?;
            if let Some(at) = path.iter().position(|above| *above == name) {
                let mut circle: Vec<&str> = path[at..].iter().map(PolicyName::as_str).collect();
                circle.push(name.as_str());
                let what = format_args!("`{name}` includes itself: {}", circle.join(" > "));
                return Err(part.wrong(wanted.at, what).hint("Leave one of these includes out."));
            }
            if parts.iter().any(|part| part.name == name) {
                continue;
            }
            if parts.len() + path.len() >= PARTS_MAX {
                let what = format_args!("a policy is made of {PARTS_MAX} files at most");
                return Err(part.wrong(wanted.at, what));
            }
            let text = self.find(&name)?.ok_or_else(|| self.unknown(part, wanted))?;
            let included = Part::read(&name, &text.file, &text.bytes)?;
            path.push(name);
            self.gather(&included, path, parts)?;
            path.pop();
            parts.push(included);
        }
        Ok(())
    }

    fn unknown(&self, part: &Part, wanted: &Placed<String>) -> Located {
        let known = self.names().unwrap_or_default();
        let hint = way_out(&wanted.value, known.iter().map(PolicyName::as_str));
        part.wrong(wanted.at, format_args!("there is no policy `{}`", wanted.value)).hint(hint)
    }

    /// The user's own text, else the built-in one.
    fn find(&self, name: &PolicyName) -> Result<Option<Text>, Located> {
        if let Some(dir) = &self.dir {
            let file = dir.join(format!("{name}.yaml"));
            let bytes = match &self.said {
                Some(said) => said.get(&file).cloned(),
                None if stands(&file)? => Some(yaml::read(&file)?),
                None => None,
            };
            if let Some(bytes) = bytes {
                return Ok(Some(Text { file, bytes: bytes.into() }));
            }
        }
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name.as_str());
        Ok(built_in.map(|(name, text)| Text {
            file: format!("built-in/{name}.yaml").into(),
            bytes: text.as_bytes().into(),
        }))
    }

    #[expect(clippy::disallowed_methods, reason = "lists names, opens nothing")]
    fn own_names(&self) -> Result<BTreeSet<PolicyName>, Located> {
        let Some(dir) = &self.dir else { return Ok(BTreeSet::new()) };
        if let Some(said) = &self.said {
            let stems = said.keys().filter_map(|file| file.file_stem()?.to_str());
            return Ok(stems.filter_map(|stem| PolicyName::new(stem).ok()).collect());
        }
        let failed = |error| Located::whole(dir, "the directory cannot be read").because(error);
        let entries = match dir.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = BTreeSet::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".yaml"));
            names.extend(stem.and_then(|stem| PolicyName::new(stem).ok()));
        }
        Ok(names)
    }
}

/// Whether anything goes by this name: even what cannot be read is not passed
/// over for the built-in policy, which may allow more.
#[expect(clippy::disallowed_methods, reason = "looks at a name, opens nothing")]
fn stands(file: &Path) -> Result<bool, Located> {
    match file.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(Located::whole(file, "the file cannot be read").because(error)),
    }
}

fn way_out<'a>(typed: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(typed, known.clone()) {
        Some(word) => format!("Did you mean `{word}`?"),
        None => format!("Use one of {}.", known.collect::<Vec<_>>().join(", ")),
    }
}

impl Hint for PolicyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { name, known } => Some(way_out(name, known.iter().map(String::as_str))),
            Self::Alone { .. } => Some("Name a policy that includes it.".into()),
            Self::Name(error) => error.hint(),
            Self::Written(error) => Hint::hint(error),
        }
    }
}
