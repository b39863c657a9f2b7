//! `find`: files by name, kind and size; what a case or a commit changed; a tree.

mod changed;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::grep::paths;
use super::places::{Places, count_of, grouped, one_line};
use super::{Answer, Place, Stop, ToolError, missing};
use crate::jail::hands::search::wire::{FoundEntry, Scope, Sought, Unentered};
use crate::jail::hands::wire::{Bytes, Kind};
use crate::jail::{HandsError, Refusal};

pub(super) use changed::between;

/// How many entries are shown, and the most that can be asked for.
pub const LIMIT: usize = 200;
pub const LIMIT_MAX: usize = 2_000;
/// How deep a tree is shown that was not said how deep. One that is still too large is
/// shown less deep.
pub const TREE_DEPTH: usize = 4;
/// How long it may take. What was found by then is told.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Which files to find.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Find {
    /// A glob such as `*.rs`, or a part of the name; with a slash, of the path.
    pub name: Option<String>,
    /// Directories; the whole case if there are none.
    pub paths: Vec<String>,
    /// Only files, directories or links.
    pub kind: Option<FindKind>,
    /// Only files of at least so many bytes.
    pub size_min: Option<u64>,
    /// Only files of at most so many bytes.
    pub size_max: Option<u64>,
    /// Only what was changed in this case.
    pub changed: bool,
    /// Only what differs between two commits, in the repository that is the only path.
    pub between: Option<(String, String)>,
    /// Show a tree.
    pub tree: bool,
    /// How deep to look; 1 is what is right in a path.
    pub depth: Option<usize>,
    /// Look at names that begin with a dot, too.
    pub hidden: bool,
    /// How many entries to show.
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindKind {
    File,
    Directory,
    Link,
}

impl Default for Find {
    fn default() -> Self {
        Self {
            name: None,
            paths: Vec::new(),
            kind: None,
            size_min: None,
            size_max: None,
            changed: false,
            between: None,
            tree: false,
            depth: None,
            hidden: false,
            limit: LIMIT,
        }
    }
}

/// Finds files. What differs between two commits is not for the hands: git has to be
/// asked, which is a command's work (`compare.rs`).
pub fn find(asked: &Find, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    if asked.changed {
        return changed::changed(asked, place);
    }
    let mut sought = sought(asked, paths(&asked.paths, place), place);
    let found = match asked.tree {
        false => Gathered::gather(&sought, place)?,
        true => {
            // Less deep until it fits, since a tree that is cut somewhere tells little.
            let mut depth = asked.depth.unwrap_or(TREE_DEPTH).max(1);
            loop {
                sought.depth_max = Some(u32::try_from(depth).unwrap_or(u32::MAX));
                let found = Gathered::gather(&sought, place)?;
                if depth == 1 || found.count <= sought.entries_max {
                    break found;
                }
                depth = (depth - 1).min(TREE_DEPTH * 4);
            }
        }
    };
    found.refuse_if_nothing_was_there(&sought, place)?;
    Ok(found.into_answer(asked, &sought, place))
}

fn sought(asked: &Find, paths: Vec<Bytes>, place: &Place<'_>) -> Sought {
    let depth = asked.depth.map(|depth| u32::try_from(depth.max(1)).unwrap_or(u32::MAX));
    Sought {
        scope: Scope {
            paths,
            repos: Bytes([place.base, b"/repos"].concat()),
            hidden: asked.hidden,
            ..Scope::default()
        },
        name: asked.name.clone(),
        kind: asked.kind.map(|kind| match kind {
            FindKind::File => Kind::File,
            FindKind::Directory => Kind::Directory,
            FindKind::Link => Kind::Link,
        }),
        size_min: asked.size_min,
        size_max: asked.size_max,
        depth_max: depth,
        entries_max: asked.limit.clamp(1, LIMIT_MAX) as u64,
    }
}

/// What was found, as far as it will be shown.
#[derive(Debug, Default)]
struct Gathered {
    entries: Vec<FoundEntry>,
    rest: Places,
    refused: Vec<Unentered>,
    count: u64,
    cut: bool,
    left_off: bool,
}

impl Gathered {
    fn gather(sought: &Sought, place: &mut Place<'_>) -> Result<Self, ToolError> {
        let began = Instant::now();
        let mut gathered = Self::default();
        let base = place.base.to_vec();
        let stop = place.stop;
        let mut search = place.hands.find(sought).map_err(|error| match error {
            HandsError::Refused(Refusal::Pattern(why)) => ToolError::Argument {
                argument: "name",
                why,
                way_out: "Write a glob such as `*.rs` or `src/**/*_test.go`, or a part of a name."
                    .into(),
            },
            error => error.into(),
        })?;
        while let Some(part) = search.next_part()? {
            gathered.entries.extend(part.entries);
            for below in part.below {
                gathered.rest.add(&below.path, &base, below.count);
            }
            gathered.refused.extend(part.refused);
            gathered.count = part.count;
            gathered.cut = part.cut;
            if stop.is_some_and(Stop::is_wanted) {
                return Err(ToolError::Cancelled);
            }
            if TIME_MAX < began.elapsed() {
                gathered.left_off = !part.done;
                break;
            }
        }
        Ok(gathered)
    }

    /// If none of the paths is there, that is an error and not an answer.
    fn refuse_if_nothing_was_there(
        &self,
        sought: &Sought,
        place: &mut Place<'_>,
    ) -> Result<(), ToolError> {
        let was_refused = |path: &Bytes| self.refused.iter().any(|refused| refused.path == *path);
        match self.refused.first() {
            Some(Unentered { path, refusal }) if sought.scope.paths.iter().all(was_refused) => {
                Err(missing::about(path, HandsError::Refused(refusal.clone()), place))
            }
            _ => Ok(()),
        }
    }

    fn into_answer(self, asked: &Find, sought: &Sought, place: &Place<'_>) -> Answer {
        let mut body = String::new();
        match asked.tree {
            true => self.write_tree(&mut body, sought, place),
            false => {
                for entry in &self.entries {
                    body += &one_line(&place.shown(&entry.path));
                    body += mark(entry.kind);
                    if let Some(size) = entry.size {
                        body += &format!("  {}", count_of(size, "byte", "bytes"));
                    }
                    body.push('\n');
                }
            }
        }
        let shown = self.entries.len() as u64;
        let mut next = None;
        if shown < self.count {
            let (told, most) = self.rest.told();
            body += &format!("{} more not shown: {told}\n", grouped(self.count - shown));
            let mut ways: Vec<_> =
                most.map(|most| format!("`paths: [{most:?}]`")).into_iter().collect();
            if asked.limit < LIMIT_MAX {
                let limit = asked.limit.max(1).saturating_mul(4).min(LIMIT_MAX);
                ways.push(format!("`limit: {limit}`"));
            }
            next = (!ways.is_empty()).then(|| format!("the same with {}", ways.join(" or ")));
        } else if self.count == 0 && !asked.hidden {
            next = Some("the same with `hidden: true`".into());
        }
        Answer { facts: self.facts(sought, asked, place), body: body.into_bytes(), next }
    }

    fn facts(&self, sought: &Sought, asked: &Find, place: &Place<'_>) -> String {
        let mut facts = match self.count {
            0 => "nothing found".to_owned(),
            count => count_of(count, "entry", "entries"),
        };
        if let (true, Some(depth)) = (asked.tree, sought.depth_max) {
            facts += &format!(", {depth} deep");
        }
        if !self.refused.is_empty() {
            let told: Vec<_> = self
                .refused
                .iter()
                .take(5)
                .map(|refused| {
                    format!("`{}`: {}", one_line(&place.shown(&refused.path)), refused.refusal)
                })
                .collect();
            facts += &format!("; not looked at: {}", told.join("; "));
        }
        if self.cut {
            facts += "; there are more than can be looked at once, name a directory";
        }
        if self.left_off {
            facts += "; it took too long and was left off there, name a directory";
        }
        facts
    }

    /// Each name once, below that of its directory.
    fn write_tree(&self, body: &mut String, sought: &Sought, place: &Place<'_>) {
        let mut open: Vec<Vec<u8>> = Vec::new();
        for entry in &self.entries {
            let top = sought.scope.paths.iter().find(|top| is_below(&entry.path, top));
            let (shown, parts) = match top {
                Some(top) => (one_line(&place.shown(top)), &entry.path[top.len()..]),
                None => (String::new(), &entry.path[..]),
            };
            let mut parts: Vec<Vec<u8>> = parts
                .split(|byte| *byte == b'/')
                .filter(|p| !p.is_empty())
                .map(Into::into)
                .collect();
            parts.insert(0, shown.into_bytes());
            let same = open.iter().zip(&parts).take_while(|(one, other)| one == other).count();
            for (depth, part) in parts.iter().enumerate().skip(same) {
                let is_last = depth + 1 == parts.len();
                body.push_str(&"  ".repeat(depth));
                body.push_str(&one_line(&String::from_utf8_lossy(part)));
                body.push_str(if is_last { mark(entry.kind) } else { "/" });
                if let (true, Some(size)) = (is_last, entry.size) {
                    body.push_str(&format!("  {}", count_of(size, "byte", "bytes")));
                }
                body.push('\n');
            }
            open = parts;
        }
    }
}

fn is_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.starts_with(b"/") || top.ends_with(b"/"))
}

/// What is said of a kind after its name.
fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "",
        Kind::Directory => "/",
        Kind::Link => "@",
        Kind::Fifo => " (a FIFO)",
        Kind::Socket => " (a socket)",
        Kind::Device => " (a device)",
    }
}
