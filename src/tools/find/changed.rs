//! What was changed: in this case, or between two commits.
//!
//! What a case changed lies in the layers that it wrote, which its jail shows to be
//! read. So the answer costs what was changed. A layer has a device in the place of
//! what was removed.

use std::collections::BTreeMap;

use super::{Find, Gathered, sought};
use crate::jail::hands::search::wire::FoundEntry;
use crate::jail::hands::wire::{Bytes, Kind};
use crate::jail::{HandsError, Refusal};
use crate::tools::grep::paths;
use crate::tools::places::one_line;
use crate::tools::{Answer, Place, ToolError};

/// What holds the layers of all repositories, by their places.
const CHANGES: &str = "/run/casefile/changes";
/// So many repositories are asked, and of each so many layers.
const REPOS_MAX: usize = 1_000;
const LAYERS_MAX: usize = 64;
/// Of one layer, so many entries are looked at.
const ENTRIES_MAX: u64 = 20_000;

/// What is in the layers of the repositories below the paths that were named.
pub(super) fn changed(asked: &Find, place: &mut Place<'_>) -> Result<Answer, ToolError> {
    let wanted = paths(&asked.paths, place);
    let mut found = Gathered::default();
    let mut all: BTreeMap<Vec<u8>, FoundEntry> = BTreeMap::new();
    for name in repositories(place)? {
        let repo = [place.base, b"/repos/", &unescaped(&name)].concat();
        let reaches = |path: &Bytes| holds(path, &repo) || holds(&repo, path);
        if !wanted.iter().any(reaches) {
            continue;
        }
        for nth in 0..LAYERS_MAX {
            let layer =
                [CHANGES.as_bytes(), b"/", &name, b"/", nth.to_string().as_bytes()].concat();
            let mut sought = sought(asked, vec![Bytes(layer.clone())], place);
            sought.scope.hidden = true;
            // Directories are in a layer for what is in them.
            sought.depth_max = None;
            sought.entries_max = ENTRIES_MAX;
            let part = Gathered::gather(&sought, place)?;
            if part.refused.iter().any(|refused| refused.path.0 == layer) {
                break;
            }
            found.cut |= part.cut || (part.entries.len() as u64) < part.count;
            found.left_off |= part.left_off;
            for entry in part.entries.into_iter().filter(|entry| entry.kind != Kind::Directory) {
                let path = [&repo[..], &entry.path[layer.len()..]].concat();
                if wanted.iter().any(|wanted| holds(wanted, &path)) {
                    // The first layer is the one that counts.
                    all.entry(path.clone()).or_insert(FoundEntry { path: Bytes(path), ..entry });
                }
            }
        }
    }
    let limit = asked.limit.clamp(1, super::LIMIT_MAX);
    found.count = all.len() as u64;
    let mut body = String::new();
    for (path, entry) in all.iter().take(limit) {
        let mark = if entry.kind == Kind::Device { "removed" } else { "changed" };
        body += &format!("{mark} {}\n", one_line(&place.shown(path)));
    }
    for path in all.keys().skip(limit) {
        found.rest.add_file(path, place.base, 1);
    }
    let mut next = None;
    if limit < all.len() {
        let (told, most) = found.rest.told();
        body += &format!("{} more not shown: {told}\n", all.len() - limit);
        next = most.map(|most| format!("the same with `paths: [{most:?}]`"));
    }
    let mut facts = match all.len() {
        0 => "nothing was changed in this case".to_owned(),
        count => format!("{count} changed in this case"),
    };
    if found.cut || found.left_off {
        facts += "; there is more than was looked at";
    }
    Ok(Answer { facts, body: body.into_bytes(), next })
}

fn repositories(place: &mut Place<'_>) -> Result<Vec<Vec<u8>>, ToolError> {
    match place.hands.list(CHANGES.as_bytes(), None, REPOS_MAX) {
        Ok(listing) => Ok(listing.entries.into_iter().map(|entry| entry.name.0).collect()),
        Err(HandsError::Refused(Refusal::Missing)) => Err(ToolError::Argument {
            argument: "changed",
            why: "this case has no layers that would tell".into(),
            way_out: "Run `git status --short` in the repository.".into(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// The place of a repository that its name among the changes stands for: the reverse of
/// [`inside::changes`].
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut place = Vec::new();
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        rest = match after {
            [b'2', b'F', after @ ..] if *first == b'%' => {
                place.push(b'/');
                after
            }
            [b'2', b'5', after @ ..] if *first == b'%' => {
                place.push(b'%');
                after
            }
            after => {
                place.push(*first);
                after
            }
        };
    }
    place
}

/// Whether a path is another, or below it.
fn holds(above: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// What `git diff --name-status` said, one file a line.
pub(in crate::tools) fn between(list: &[u8]) -> Answer {
    let mut body = Vec::new();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for line in list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let kind = match line[0] {
            b'A' => "added",
            b'D' => "removed",
            b'R' => "renamed",
            b'C' => "copied",
            b'T' => "of another kind",
            _ => "changed",
        };
        *kinds.entry(kind).or_default() += 1;
        let mut names = line.split(|byte| *byte == b'\t').skip(1);
        body.extend_from_slice(kind.as_bytes());
        body.push(b' ');
        body.extend_from_slice(names.next().unwrap_or_default());
        for to in names {
            body.extend_from_slice(b" -> ");
            body.extend_from_slice(to);
        }
        body.push(b'\n');
    }
    let told: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let facts = match told.is_empty() {
        true => "nothing differs between them".to_owned(),
        false => told.join(", "),
    };
    Answer { facts, body, next: None }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::{CHANGES, between, unescaped};
    use crate::case::inside;

    #[test]
    fn a_name_among_the_changes_is_the_place_of_a_repository() {
        for place in ["app", "app/vendor/lib", "app%2Flib", "%25", "a%"] {
            let layer = inside::changes(&Path::new(inside::REPOS).join(place), 0);
            let name = layer.parent().unwrap().strip_prefix(CHANGES).unwrap();
            assert_eq!(unescaped(name.as_os_str().as_bytes()), place.as_bytes(), "{place}");
        }
    }

    #[test]
    fn what_git_says_is_told_in_words() {
        let list = b"M\tsrc/a.rs\nA\tsrc/new.rs\nR090\told.rs\tsrc/b.rs\nD\tgone\n";
        let answer = between(list);
        assert_eq!(answer.facts, "1 added, 1 changed, 1 removed, 1 renamed");
        insta::assert_snapshot!(String::from_utf8(answer.body).unwrap(), @"
        changed src/a.rs
        added src/new.rs
        renamed old.rs -> src/b.rs
        removed gone
        ");
        assert_eq!(between(b"").facts, "nothing differs between them");
    }
}
