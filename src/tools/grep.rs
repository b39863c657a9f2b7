//! `grep`: the lines in which a pattern is, grouped by file.
//!
//! What is shown is bounded, what is counted is not. Files in which what was looked
//! for seems to be defined come first, and then the order is that of the paths. What
//! is not shown is told by where it is, since that is how to ask for less.

mod text;

use std::time::{Duration, Instant};

use ignore::overrides::OverrideBuilder;
use ignore::types::TypesBuilder;
use serde::{Deserialize, Serialize};

use super::{Answer, Place, Stop, ToolError, missing};
use crate::hint::nearest;
use crate::jail::hands::search::wire::{FoundIn, Query, Scope, Tally, Unsearched};
use crate::jail::hands::wire::Bytes;
use crate::jail::{HandsError, Refusal};
use text::Rest;

pub use crate::jail::hands::search::wire::{Case, Mode};

/// How many lines or files are shown, and the most that can be asked for.
pub const LIMIT: usize = 100;
pub const LIMIT_MAX: usize = 1_000;
/// The most lines around a match.
pub const CONTEXT_LINES_MAX: usize = 100;
/// How long one search may take. What was found by then is told.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Of files that could not be read, so many are named.
const REFUSED_TOLD_MAX: usize = 5;

/// What to look for, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grep {
    /// A regular expression of Rust's, without look-around or back-references.
    pub pattern: String,
    /// Files and directories; the whole case if there are none.
    pub paths: Vec<String>,
    /// Only files that one of these fits, such as `*.rs` or `src/**`; `!` leaves out.
    pub globs: Vec<String>,
    /// Only files of these kinds, such as `rust` or `py`.
    pub types: Vec<String>,
    /// Take the pattern as it stands.
    pub literal: bool,
    /// Only whole words.
    pub word: bool,
    /// `smart`: it counts if the pattern has a capital letter.
    pub case: Case,
    /// Let a match go over the ends of lines.
    pub multiline: bool,
    /// Look at names that begin with a dot, too.
    pub hidden: bool,
    /// How many lines to show before each match.
    pub before: usize,
    /// How many lines to show after each match.
    pub after: usize,
    /// The lines, only the files, or how many lines there are in each.
    pub mode: Mode,
    /// How many lines, or files, to show.
    pub limit: usize,
}

impl Default for Grep {
    fn default() -> Self {
        Self {
            pattern: String::new(),
            paths: Vec::new(),
            globs: Vec::new(),
            types: Vec::new(),
            literal: false,
            word: false,
            case: Case::Smart,
            multiline: false,
            hidden: false,
            before: 0,
            after: 0,
            mode: Mode::Lines,
            limit: LIMIT,
        }
    }
}

/// Looks for a pattern in files.
pub fn grep(asked: &Grep, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    let query = query(asked, place)?;
    let gathered = Gathered::gather(&query, asked, place)?;
    gathered.refuse_if_nothing_was_there(asked, place)?;
    Ok(gathered.into_answer(asked, place))
}

fn query(asked: &Grep, place: &Place<'_>) -> Result<Query, ToolError> {
    if asked.pattern.is_empty() {
        return Err(ToolError::Argument {
            argument: "pattern",
            why: "it is empty, which is in every line".into(),
            way_out: "Say what to look for, or use `read_file` to see all lines.".into(),
        });
    }
    let context = |lines: usize| u32::try_from(lines.min(CONTEXT_LINES_MAX)).unwrap_or(u32::MAX);
    Ok(Query {
        scope: Scope {
            paths: paths(&asked.paths, place),
            repos: Bytes([place.base, b"/repos"].concat()),
            globs: checked_globs(&asked.globs)?,
            types: checked_types(&asked.types)?,
            hidden: asked.hidden,
            ignored: false,
        },
        pattern: asked.pattern.clone(),
        literal: asked.literal,
        word: asked.word,
        case: asked.case,
        multiline: asked.multiline,
        before: context(asked.before),
        after: context(asked.after),
        mode: asked.mode,
        lines_max: asked.limit.clamp(1, LIMIT_MAX) as u64,
    })
}

/// The whole paths that are meant, each once.
pub(super) fn paths(asked: &[String], place: &Place<'_>) -> Vec<Bytes> {
    let mut paths: Vec<Bytes> = Vec::new();
    for path in asked {
        let path = Bytes(place.resolve(path));
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        paths.push(place.base.into());
    }
    paths
}

fn checked_globs(globs: &[String]) -> Result<Vec<String>, ToolError> {
    for glob in globs {
        OverrideBuilder::new("").add(glob).map_err(|error| ToolError::Argument {
            argument: "globs",
            why: error.to_string(),
            way_out: "Write it as in a `.gitignore`, such as `*.rs`, `src/**` or `!*_test.go`."
                .into(),
        })?;
    }
    Ok(globs.to_vec())
}

fn checked_types(types: &[String]) -> Result<Vec<String>, ToolError> {
    if types.is_empty() {
        return Ok(Vec::new());
    }
    let known = TypesBuilder::new().add_defaults().definitions();
    let names = || known.iter().map(|known| known.name());
    for name in types {
        if !names().any(|known| known == name) {
            // By its ending, which is what one thinks of first.
            let ending = format!("*.{name}");
            let by_ending = known.iter().find(|known| known.globs().contains(&ending));
            let meant = by_ending.map(|known| known.name()).or_else(|| nearest(name, names()));
            return Err(ToolError::Argument {
                argument: "types",
                why: format!("there is no kind of files called `{name}`"),
                way_out: match meant {
                    Some(meant) => format!("Did you mean `{meant}`?"),
                    None => format!("Use a glob instead, such as `*.{name}`."),
                },
            });
        }
    }
    Ok(types.to_vec())
}

/// What a search found, as far as it will be shown.
#[derive(Debug, Default)]
struct Gathered {
    /// Those of which something can be shown.
    files: Vec<FoundIn>,
    /// All files with a match, and their lines.
    files_count: u64,
    lines_count: u64,
    /// The lines and files of which nothing can be shown.
    rest: Rest,
    refused: Vec<(Vec<u8>, Refusal)>,
    refused_count: u64,
    tally: Tally,
    /// It took too long.
    left_off: bool,
}

impl Gathered {
    fn gather(query: &Query, asked: &Grep, place: &mut Place<'_>) -> Result<Self, ToolError> {
        let began = Instant::now();
        let mut gathered = Self::default();
        let mut last: Option<Bytes> = None;
        let base = place.base.to_vec();
        let stop = place.stop;
        let mut search = place.hands.search(query).map_err(|error| told(error, asked))?;
        while let Some(part) = search.next_part()? {
            gathered.tally = part.tally;
            for found in part.files {
                let goes_on = last.as_ref() == Some(&found.path) && !found.lines.is_empty();
                last = Some(found.path.clone());
                gathered.add(found, goes_on, query, &base);
            }
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

    fn add(&mut self, found: FoundIn, goes_on: bool, query: &Query, base: &[u8]) {
        if goes_on && let Some(file) = self.files.last_mut().filter(|f| f.path == found.path) {
            file.lines.extend(found.lines);
            return;
        }
        if let Some(Unsearched::Refused(refusal)) = &found.unsearched {
            self.refused_count += 1;
            if self.refused.len() < REFUSED_TOLD_MAX {
                self.refused.push((found.path.0.clone(), refusal.clone()));
            }
        }
        if found.count == 0 {
            return;
        }
        self.files_count += 1;
        self.lines_count += found.count;
        let shown = match query.mode {
            Mode::Lines => !found.lines.is_empty() || found.unsearched == Some(Unsearched::Binary),
            Mode::Files => (self.files.len() as u64) < query.lines_max,
            Mode::Count => true,
        };
        if !shown {
            self.rest.add(&found.path, base, found.count);
            return;
        }
        self.files.push(found);
        // Of those, the largest will be shown.
        if query.mode == Mode::Count && 2 * LIMIT_MAX < self.files.len() {
            self.sort_by_count();
            for small in self.files.split_off(LIMIT_MAX) {
                self.rest.add(&small.path, base, small.count);
            }
        }
    }

    fn sort_by_count(&mut self) {
        self.files.sort_by(|one, other| {
            other.count.cmp(&one.count).then_with(|| one.path.0.cmp(&other.path.0))
        });
    }

    /// If none of the paths could be searched, that is an error and not an answer.
    fn refuse_if_nothing_was_there(
        &self,
        asked: &Grep,
        place: &mut Place<'_>,
    ) -> Result<(), ToolError> {
        let wanted = paths(&asked.paths, place);
        let was_refused = |path: &Bytes| self.refused.iter().any(|(refused, _)| *refused == path.0);
        match self.refused.first() {
            Some((path, refusal)) if wanted.iter().take(REFUSED_TOLD_MAX).all(was_refused) => {
                Err(missing::about(path, HandsError::Refused(refusal.clone()), place))
            }
            _ => Ok(()),
        }
    }
}

/// An error of the hands that is about an argument.
fn told(error: HandsError, asked: &Grep) -> ToolError {
    match error {
        HandsError::Refused(Refusal::Pattern(why)) => ToolError::Argument {
            argument: "pattern",
            why: why.trim_end().into(),
            way_out: match why.contains("not allowed") && !asked.multiline {
                true => "Pass `multiline: true` to match over the ends of lines.".into(),
                false => "Mend it, or pass `literal: true` to look for it as it stands.".into(),
            },
        },
        error => error.into(),
    }
}
