//! Making a snapshot: over the nearest one that is there, or whole.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::Oid;
use nix::sys::stat::{Mode, SFlag, mknod};

use super::about::{self, ABOUT, About, FILES, FORMAT, INDEX, Module, Name};
use super::compare::{self, Base, Line, Plan, What};
use super::error::shown;
use super::{Snapshot, SnapshotError, find, open, place, tree_of, unreadable, write};
use crate::case::{CommitId, RepoName, TreeId};
use crate::disk::{self, DiskError, Holder};
use crate::repos::beside::{self, Beside};
use crate::repos::index::{Index, Writer};
use crate::repos::objects::{Kind, Objects};
use crate::repos::{Progress, Shared};

/// A delta that writes more than one file in so many is no delta any more.
const DELTA_PART: usize = 4;
/// A delta of a small tree saves nothing below this.
const DELTA_ACTS_MIN: usize = 64;
/// The full snapshots that are compared, the newest first.
const BASES_MAX: usize = 6;

/// The snapshot of a commit of `mirror`. Finds it, if it is there; waits, if another
/// process makes it; else makes it.
pub fn make(
    store: &Shared,
    name: &RepoName,
    mirror: &Path,
    commit: &CommitId,
    holder: &Holder,
    progress: &dyn Progress,
) -> Result<Snapshot, SnapshotError> {
    let tree = tree_of(mirror, commit)?;
    if let Some(snapshot) = find(&store.store, name, &tree)? {
        return Ok(snapshot);
    }
    let all = store.store.snapshots(name);
    let beside = Beside::begin(&all, tree.as_str(), holder, progress)?;
    if let Some(snapshot) = find(&store.store, name, &tree)? {
        return Ok(snapshot);
    }
    // Something has its name that is none, or none any more.
    set_aside(&store.store.trash(), &all.join(tree.as_str()))?;
    let building = beside.make()?;
    Build { all: &all, name, mirror, tree: &tree, building, progress }.run()?;
    beside.place()?;
    find(&store.store, name, &tree)?.ok_or(SnapshotError::Vanished { tree })
}

/// One build, in a directory of its own.
struct Build<'a> {
    all: &'a Path,
    name: &'a RepoName,
    mirror: &'a Path,
    tree: &'a TreeId,
    building: &'a Path,
    progress: &'a dyn Progress,
}

/// What is built upon.
struct Found {
    tree: TreeId,
    index: Index,
}

impl Build<'_> {
    fn run(&self) -> Result<(), SnapshotError> {
        let (plan, base) = compare::deep(|| self.plan())?;
        let files = self.building.join(FILES);
        disk::directory(&files)?;
        // It is the root of a working tree, which everybody in a world may enter.
        let open_to_all: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&files, open_to_all).map_err(DiskError::io("write", &files))?;
        self.progress.begin("writing files", Some(plan.acts.len() as u64));
        let (mut stats, bytes) =
            write::write(&files, self.mirror, &plan.acts, base.is_some(), self.progress)?;
        let path = self.building.join(INDEX);
        let now = fs::File::create(&path)
            .and_then(|file| file.metadata())
            .map_err(DiskError::io("write", &path))?
            .mtime();
        write::date_back(&files, &plan.acts, &mut stats, now as u32)?;

        let mut index = Writer::new();
        for line in &plan.lines {
            match line {
                Line::Kept(entries) => {
                    if let Some(base) = &base {
                        index.keep(&base.index, entries.clone());
                    }
                }
                Line::New(at) => {
                    let act = &plan.acts[*at];
                    let (mode, id) = match act.what {
                        What::Blob { id, kind, .. } => (kind.mode(), id),
                        What::Module(id) => (Kind::Module.mode(), id),
                        What::Whiteout => continue,
                    };
                    index.entry(&act.path, mode, id, &stats[*at]);
                }
            }
        }
        let mut modules = Vec::new();
        for (path, id) in std::mem::take(&mut index.modules) {
            let commit = CommitId::parse(&id.to_string())
                .map_err(|_| SnapshotError::Vanished { tree: self.tree.clone() })?;
            modules.push(Module { path: Name::new(path), commit });
        }
        let mut notes = notes(&plan);
        notes.extend(absent(&std::mem::take(&mut index.absent)));
        let bytes_of_index = index.finish(&plan.dirs, place(self.name).as_os_str().as_bytes());
        fs::write(&path, &bytes_of_index).map_err(DiskError::io("write", &path))?;

        let about = About {
            format: FORMAT,
            tree: self.tree.clone(),
            base: base.map(|base| base.tree),
            boot: about::boot()?,
            files: plan.acts.len() as u64,
            bytes: bytes + bytes_of_index.len() as u64,
            modules,
            filtered: !plan.filtered.is_empty() || 0 < plan.encoded,
            notes,
        };
        Ok(about.write(self.building)?)
    }

    /// What has to be written, and over what.
    fn plan(&self) -> Result<(Plan, Option<Found>), SnapshotError> {
        self.progress.begin("comparing trees", None);
        let repo = open(self.mirror)?;
        let objects = Objects::of(&repo).map_err(unreadable(self.mirror))?;
        let tree = oid(self.tree.as_str())?;
        let mut nearest: Option<(Plan, Found)> = None;
        if self.can_hide() {
            for (dir, about) in self.bases()? {
                let Ok(bytes) = fs::read(dir.join(INDEX)) else { continue };
                let Ok(index) = Index::parse(bytes) else { continue };
                let part = (index.len() / DELTA_PART).max(DELTA_ACTS_MIN);
                let nearer = nearest.as_ref().map_or(part, |(plan, _)| plan.acts.len());
                let base = Base {
                    tree: oid(about.tree.as_str())?,
                    index: &index,
                    acts_max: nearer,
                    walk_all: about.filtered,
                };
                match compare::compare(&objects, tree, Some(base)) {
                    Ok(Some(plan)) => nearest = Some((plan, Found { tree: about.tree, index })),
                    Ok(None) => {}
                    // The mirror may have let go of the base's objects.
                    Err(SnapshotError::Missing { .. } | SnapshotError::Object { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some((plan, found)) = nearest {
            return Ok((plan, Some(found)));
        }
        let plan = compare::compare(&objects, tree, None)?;
        Ok((plan.unwrap_or_default(), None))
    }

    /// The full snapshots that are whole, the newest first.
    fn bases(&self) -> Result<Vec<(PathBuf, About)>, SnapshotError> {
        let mut dirs = Vec::new();
        for name in beside::names(self.all)? {
            let dir = self.all.join(name);
            let made = fs::metadata(dir.join(ABOUT)).and_then(|about| about.modified());
            dirs.extend(made.ok().map(|made| (made, dir)));
        }
        dirs.sort_by(|one, other| other.cmp(one));
        let mut bases = Vec::new();
        for (_, dir) in dirs {
            if bases.len() == BASES_MAX {
                break;
            }
            let Some(about) = About::read(&dir)?.filter(|about| about.base.is_none()) else {
                continue;
            };
            let is_placed = dir.file_name().is_some_and(|name| name == about.tree.as_str());
            if is_placed && about.holds(&dir, None)? {
                bases.push((dir, about));
            }
        }
        Ok(bases)
    }

    /// Whether the file system has whiteouts, which a delta needs.
    fn can_hide(&self) -> bool {
        let probe = self.building.join("probe");
        let made = mknod(&probe, SFlag::S_IFCHR, Mode::empty(), 0).is_ok();
        made && fs::remove_file(&probe).is_ok()
    }
}

fn notes(plan: &Plan) -> Vec<String> {
    let files = |count: u32| if count == 1 { "1 file".into() } else { format!("{count} files") };
    let mut notes = Vec::new();
    for (filter, count) in &plan.filtered {
        let what = if filter == "lfs" { "of git-lfs " } else { "" };
        notes.push(format!("{} {what}as stored: the filter `{filter}` is not run", files(*count)));
    }
    if 0 < plan.encoded {
        notes.push(format!(
            "{} in UTF-8 that git would write in another encoding",
            files(plan.encoded)
        ));
    }
    notes
}

/// What could not be had, by name as far as that helps.
fn absent(paths: &[Vec<u8>]) -> Option<String> {
    const NAMED_MAX: usize = 5;
    let named: Vec<_> =
        paths.iter().take(NAMED_MAX).map(|path| format!("`{}`", shown(path))).collect();
    let more = if NAMED_MAX < paths.len() { ", ..." } else { "" };
    let these = match paths.len() {
        0 => return None,
        1 => "1 file is".into(),
        count => format!("{count} files are"),
    };
    Some(format!("{these} not there, since the mirror lacks them: {}{more}", named.join(", ")))
}

/// Moves what is at `path` into the trash.
fn set_aside(trash: &Path, path: &Path) -> Result<(), DiskError> {
    if !path.exists() {
        return Ok(());
    }
    disk::directory(trash)?;
    let into = tempfile::Builder::new().prefix("snapshot-").tempdir_in(trash);
    let into = into.map_err(DiskError::io("create", trash))?.keep();
    fs::rename(path, into.join("damaged")).map_err(DiskError::io("move", path))
}

pub(super) fn oid(id: &str) -> Result<Oid, SnapshotError> {
    Oid::from_str(id).map_err(|source| SnapshotError::Id { id: id.into(), source })
}

pub(super) fn tree_id(id: Oid) -> Result<TreeId, SnapshotError> {
    let text = id.to_string();
    let kind = git2::Error::from_str("not the full id of a tree");
    TreeId::parse(&text).map_err(|_| SnapshotError::Id { id: text, source: kind })
}
