//! What has to be written for a tree: all of it, or what differs from a base.
//!
//! Both trees are walked together, and where they are equal nothing is walked: a tree's
//! id says all that is below. One thing is not in the ids: a `.gitattributes` can change
//! the bytes of files far below it. Where the rules of the two trees differ, equal
//! subtrees are walked too, and each file is asked what it would be under both.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use git2::Oid;

use super::attributes::{Finish, Rules};
use super::error::{MissingObject, shown};
use super::{SnapshotError, names};
use crate::repos::index::{Dir, Index};
use crate::repos::objects::{Kind, ObjectError, Objects, TreeLine};

/// git's own bound on how deep a tree goes.
const DEPTH_MAX: usize = 2048;
/// A step down takes a few KiB of the stack. What is not reached takes no memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// A tree of a few objects can name the same subtree over and over.
const ENTRIES_MAX: usize = 10_000_000;
/// git passes over a `.gitattributes` that is larger.
const ATTRIBUTES_BYTES_MAX: usize = 100 * 1024 * 1024;

/// All that has to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) acts: Vec<Act>,
    /// The entries of the index, in order.
    pub(super) lines: Vec<Line>,
    pub(super) dirs: Vec<Dir>,
    /// How many files each filter was meant for.
    pub(super) filtered: BTreeMap<String, u32>,
    /// How many files git would turn into another encoding.
    pub(super) encoded: u32,
}

/// Something to write.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) path: Vec<u8>,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Blob {
        id: Oid,
        kind: Kind,
        finish: Finish,
    },
    /// The empty directory of a submodule.
    Module(Oid),
    /// What the base has here is not to be seen.
    Whiteout,
}

/// Entries of the index.
#[derive(Debug)]
pub(super) enum Line {
    /// These of the base.
    Kept(Range<usize>),
    /// Of an act, by its place in the plan.
    New(usize),
}

/// What a delta is built upon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base<'a> {
    pub(super) tree: Oid,
    pub(super) index: &'a Index,
    /// More acts than this, and the base is too far away.
    pub(super) acts_max: usize,
    /// It has files with filters, which are counted anew.
    pub(super) walk_all: bool,
}

/// What to write for `tree`. None, if that is too much over this base.
pub(super) fn compare(
    objects: &Objects<'_>,
    tree: Oid,
    base: Option<Base<'_>>,
) -> Result<Option<Plan>, SnapshotError> {
    let mut walk = Walk { objects, base, plan: Plan::default(), path: Vec::new() };
    let step = Step {
        old: base.map(|base| base.tree),
        new: tree,
        old_rules: None,
        new_rules: None,
        differ: base.is_some_and(|base| base.walk_all),
        depth: 0,
    };
    match walk.directory(b"", step) {
        Ok(_) => Ok(Some(walk.plan)),
        Err(Stop::TooFar) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Runs `work` with room to go down as deep as a tree may be.
pub(super) fn deep<T: Send>(
    work: impl FnOnce() -> Result<T, SnapshotError> + Send,
) -> Result<T, SnapshotError> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let hand = builder.spawn_scoped(scope, work).map_err(|_| SnapshotError::Thread)?;
        hand.join().unwrap_or(Err(SnapshotError::Thread))
    })
}

enum Stop {
    TooFar,
    Failed(SnapshotError),
}

struct Walk<'a> {
    objects: &'a Objects<'a>,
    base: Option<Base<'a>>,
    plan: Plan,
    path: Vec<u8>,
}

/// One directory in both trees.
struct Step {
    old: Option<Oid>,
    new: Oid,
    old_rules: Option<Arc<Rules>>,
    new_rules: Option<Arc<Rules>>,
    /// Whether the rules of the two may differ here.
    differ: bool,
    depth: usize,
}

impl Walk<'_> {
    /// Walks the directory at `self.path`. Returns how many entries it has.
    fn directory(&mut self, name: &[u8], step: Step) -> Result<u32, Stop> {
        if DEPTH_MAX < step.depth {
            return Err(self.refused("it is more than 2048 directories deep"));
        }
        if step.old == Some(step.new)
            && !step.differ
            && let Some(entries) = self.keep_all()
        {
            return Ok(entries);
        }
        let new = self.tree(step.new)?;
        let old = step.old.map(|id| self.tree(id)).transpose()?.unwrap_or_default();
        let (attributes, old_attributes) = (rules_of(&new), rules_of(&old));
        let new_rules = self.rules(attributes, step.new_rules)?;
        let old_rules = match step.old {
            Some(_) if !step.differ && attributes == old_attributes => new_rules.clone(),
            Some(_) => self.rules(old_attributes, step.old_rules)?,
            None => None,
        };
        let differ = step.differ || attributes != old_attributes;
        let old: HashMap<&[u8], &TreeLine> =
            old.iter().map(|line| (&line.name[..], line)).collect();

        let at = self.plan.dirs.len();
        let ignore = new.iter().find(|line| {
            line.name == b".gitignore" && matches!(line.kind, Kind::File | Kind::Program)
        });
        let length = self.path.len();
        let ignore = match ignore {
            Some(line) => Some(self.ignore(length, line, new_rules.as_deref())?),
            None => None,
        };
        self.plan.dirs.push(Dir {
            name: name.into(),
            id: step.new,
            entries: 0,
            children: 0,
            below: 0,
            ignore,
        });
        let (mut entries, mut children) = (0, 0);
        for line in &new {
            self.go(length, &line.name);
            if let Some(why) = names::refused(&line.name, line.kind == Kind::Link) {
                return Err(self.refused(why));
            }
            let was = old.get(&line.name[..]).copied();
            if line.kind == Kind::Tree {
                let step = Step {
                    old: was.filter(|was| was.kind == Kind::Tree).map(|was| was.id),
                    new: line.id,
                    old_rules: old_rules.clone(),
                    new_rules: new_rules.clone(),
                    differ,
                    depth: step.depth + 1,
                };
                children += 1;
                entries += self.directory(&line.name, step)?;
            } else {
                entries += 1;
                self.file(line, was, [old_rules.as_deref(), new_rules.as_deref()], differ)?;
            }
        }
        // A name that was there as a file and is there as a directory, or the reverse,
        // hides what was: only what has no name any more needs a whiteout.
        let there: std::collections::HashSet<&[u8]> = if old.is_empty() {
            Default::default()
        } else {
            new.iter().map(|line| &line.name[..]).collect()
        };
        for gone in old.keys().filter(|name| !there.contains(*name)) {
            self.go(length, gone);
            self.act(What::Whiteout)?;
        }
        self.path.truncate(length);
        let below = self.plan.dirs.len() - at - 1;
        let dir = &mut self.plan.dirs[at];
        (dir.entries, dir.children, dir.below) = (entries, children, below as u32);
        Ok(entries)
    }

    /// By what git knows the list of ignored files in this directory: by its blob, or,
    /// where the file may not be as it would be stored, by the bytes that git read, to
    /// which it had added the end of a line.
    fn ignore(
        &mut self,
        length: usize,
        line: &TreeLine,
        rules: Option<&Rules>,
    ) -> Result<Oid, Stop> {
        let Some(rules) = rules else { return Ok(line.id) };
        self.go(length, &line.name);
        let said = rules.say(&self.path);
        self.path.truncate(length);
        if !said.converted {
            return Ok(line.id);
        }
        let id = line.id;
        let read = self.objects.blob(id, |blob| {
            let mut bytes = said.finish.apply(blob, id).unwrap_or_else(|| blob.into());
            if bytes.is_empty() {
                return Ok(id);
            }
            bytes.push(b'\n');
            Oid::hash_object(git2::ObjectType::Blob, &bytes)
        });
        match read {
            Ok(Ok(known_as)) => Ok(known_as),
            // git will find out; a file that is missing is told of elsewhere.
            Ok(Err(_)) | Err(ObjectError::Missing) => Ok(id),
            Err(source) => Err(self.unreadable(id, source)),
        }
    }

    /// A file, link or submodule at `self.path`.
    fn file(
        &mut self,
        line: &TreeLine,
        was: Option<&TreeLine>,
        [old_rules, new_rules]: [Option<&Rules>; 2],
        differ: bool,
    ) -> Result<(), Stop> {
        let is_file = matches!(line.kind, Kind::File | Kind::Program);
        let said =
            new_rules.filter(|_| is_file).map(|rules| rules.say(&self.path)).unwrap_or_default();
        if let Some(filter) = said.filter {
            *self.plan.filtered.entry(shown(&filter)).or_default() += 1;
        }
        self.plan.encoded += u32::from(said.encoding.is_some());
        if was == Some(line) {
            let before = match old_rules {
                Some(rules) if differ && is_file => rules.say(&self.path).finish,
                _ if differ => Finish::default(),
                _ => said.finish,
            };
            let kept = self.base.and_then(|base| base.index.find(&self.path));
            if let Some(entry) = kept.filter(|_| before == said.finish) {
                self.keep(entry..entry + 1);
                return Ok(());
            }
        }
        let at = self.plan.acts.len();
        self.plan.lines.push(Line::New(at));
        if line.kind != Kind::Module {
            return self.act(What::Blob { id: line.id, kind: line.kind, finish: said.finish });
        }
        self.act(What::Module(line.id))?;
        // Its directory is empty, so what the base has in one of that name has to go.
        if let Some(was) = was.filter(|was| was.kind == Kind::Tree) {
            let length = self.path.len();
            for gone in self.tree(was.id)? {
                self.go(length, &gone.name);
                self.act(What::Whiteout)?;
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    /// Takes over the directory at `self.path` from the base, with all below it.
    fn keep_all(&mut self) -> Option<u32> {
        let (dirs, entries) = self.base?.index.below(&self.path)?;
        self.plan.dirs.extend_from_slice(dirs);
        let count = entries.len();
        self.keep(entries);
        Some(count as u32)
    }

    fn keep(&mut self, entries: Range<usize>) {
        match self.plan.lines.last_mut() {
            Some(Line::Kept(last)) if last.end == entries.start => last.end = entries.end,
            _ => self.plan.lines.push(Line::Kept(entries)),
        }
    }

    fn act(&mut self, what: What) -> Result<(), Stop> {
        self.plan.acts.push(Act { path: self.path.clone(), what });
        if self.base.is_some_and(|base| base.acts_max < self.plan.acts.len()) {
            return Err(Stop::TooFar);
        }
        if ENTRIES_MAX < self.plan.acts.len() {
            return Err(self.refused("the tree has more than ten million files"));
        }
        Ok(())
    }

    /// Makes `self.path` the path of `name` in the directory that is so long.
    fn go(&mut self, length: usize, name: &[u8]) {
        self.path.truncate(length);
        if 0 < length {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name);
    }

    fn tree(&self, id: Oid) -> Result<Vec<TreeLine>, Stop> {
        self.objects.tree(id).map_err(|source| self.unreadable(id, source))
    }

    fn rules(
        &self,
        attributes: Option<Oid>,
        above: Option<Arc<Rules>>,
    ) -> Result<Option<Arc<Rules>>, Stop> {
        let Some(id) = attributes else { return Ok(above) };
        let read = |text: &[u8]| {
            let text = if text.len() <= ATTRIBUTES_BYTES_MAX { text } else { b"" };
            Rules::read(text, &self.path, above)
        };
        self.objects.blob(id, read).map_err(|source| self.unreadable(id, source))
    }

    fn unreadable(&self, id: Oid, source: ObjectError) -> Stop {
        Stop::Failed(SnapshotError::object(id, &self.path, source))
    }

    fn refused(&self, why: &'static str) -> Stop {
        Stop::Failed(SnapshotError::Refused { path: shown(&self.path), why })
    }
}

impl SnapshotError {
    pub(super) fn object(id: Oid, path: &[u8], source: ObjectError) -> Self {
        let id = id.to_string();
        match source {
            ObjectError::Missing => {
                Self::Missing { objects: vec![MissingObject { id, path: path.into() }] }
            }
            source => Self::Object { id, path: shown(path), source },
        }
    }
}

/// The blob of a directory's own `.gitattributes`.
fn rules_of(lines: &[TreeLine]) -> Option<Oid> {
    let is_rules = |line: &&TreeLine| {
        line.name == b".gitattributes" && matches!(line.kind, Kind::File | Kind::Program)
    };
    lines.iter().find(is_rules).map(|line| line.id)
}
