//! Submodules: what a commit says of the repositories that are parts of it.
//!
//! `.gitmodules` was written by whoever wrote the commit, so it is read here and by
//! nobody else: no includes, no variables, and no path that leads out.

use git2::{ObjectType, Oid, Repository, Tree};

use super::mirror::Mirror;
use super::{RepoError, commit_id};
use crate::case::{CasePath, CommitId, RepoName};

/// A part of a commit that is another repository's commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub path: CasePath,
    pub commit: CommitId,
    /// The mirror it is in, if it was taken in.
    pub repo: Option<RepoName>,
}

/// A submodule as `.gitmodules` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) url: String,
}

/// More than any such file.
const FILE_BYTES_MAX: usize = 1024 * 1024;

/// The submodules of a commit that it declares and has.
pub fn submodules_at(mirror: &Mirror, commit: &CommitId) -> Result<Vec<Part>, RepoError> {
    let failed = || RepoError::read(&mirror.name, format!("commit {commit}"));
    let repo = mirror.repository()?;
    let id = Oid::from_str(commit.as_str()).map_err(failed())?;
    let tree = repo.find_commit(id).and_then(|commit| commit.tree()).map_err(failed())?;
    let known = &mirror.about.submodules;
    let parts = declared(&repo, &tree).into_iter().map(|(declared, commit)| {
        let by_path = known.iter().find(|it| it.path == declared.path);
        let found = by_path.or_else(|| known.iter().find(|it| it.url == declared.url));
        let path = CasePath::new(&declared.path).ok()?;
        Some(Part { path, commit: commit_id(commit), repo: found.map(|it| it.repo.clone()) })
    });
    Ok(parts.flatten().collect())
}

/// Those of the newest commit of a mirror's branch.
pub(super) fn of_tip(mirror: &Mirror) -> Result<Vec<Declared>, RepoError> {
    let repo = mirror.repository()?;
    let tip = match mirror.branch()? {
        Some(branch) => repo.find_reference(&format!("refs/heads/{branch}")),
        None => repo.find_reference("HEAD"),
    };
    // An empty repository has none.
    let Ok(tree) = tip.and_then(|tip| tip.peel_to_tree()) else { return Ok(Vec::new()) };
    Ok(declared(&repo, &tree).into_iter().map(|(declared, _)| declared).collect())
}

/// What `.gitmodules` declares, where the tree has a commit in that place.
fn declared(repo: &Repository, tree: &Tree) -> Vec<(Declared, Oid)> {
    let text = tree.get_name(".gitmodules").and_then(|entry| {
        // A link there would be followed by nobody.
        let blob = (entry.filemode() != 0o120_000).then(|| repo.find_blob(entry.id()).ok())??;
        (blob.size() <= FILE_BYTES_MAX)
            .then(|| String::from_utf8_lossy(blob.content()).into_owned())
    });
    let mut found: Vec<(Declared, Oid)> = Vec::new();
    for declared in parse(&text.unwrap_or_default()) {
        let Ok(path) = CasePath::new(&declared.path) else { continue };
        let Ok(entry) = tree.get_path(path.as_path()) else { continue };
        let is_new = !found.iter().any(|(other, _)| other.path == declared.path);
        if entry.kind() == Some(ObjectType::Commit) && is_new {
            found.push((declared, entry.id()));
        }
    }
    found
}

/// The sections `[submodule "NAME"]` that have a path and a URL.
fn parse(text: &str) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    let mut inside = false;
    // A line that ends with `\` goes on in the next.
    for line in text.replace("\\\n", "").lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let name = section(header);
            inside = name.is_some();
            found.extend(name.map(|name| Declared { name, ..Declared::default() }));
        } else if inside
            && let Some((key, given)) = line.split_once('=')
            && let Some(section) = found.last_mut()
        {
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => section.path = value(given),
                "url" => section.url = value(given),
                _ => {}
            }
        }
    }
    found.retain(|it| !it.path.is_empty() && !it.url.is_empty());
    found
}

/// The name in `submodule "NAME"]`.
fn section(header: &str) -> Option<String> {
    let (kind, rest) = header.split_once('"')?;
    if !kind.trim().eq_ignore_ascii_case("submodule") {
        return None;
    }
    let mut name = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => return letters.as_str().trim_start().starts_with(']').then_some(name),
            '\\' => name.push(letters.next()?),
            letter => name.push(letter),
        }
    }
}

/// A value as git reads it: without comments and the quotes around parts of it.
fn value(given: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let mut kept = 0;
    let mut letters = given.trim().chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(letter) => text.push(letter),
                None => {}
            },
            '#' | ';' if !quoted => break,
            letter => text.push(letter),
        }
        if quoted || !letter.is_whitespace() {
            kept = text.len();
        }
    }
    text.truncate(kept);
    text
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn gitmodules_is_read_as_git_reads_it() {
        type Row = (&'static str, &'static [(&'static str, &'static str, &'static str)]);
        #[rustfmt::skip]
        let table: &[Row] = &[
            ("[submodule \"a\"]\n\tpath = a\n\turl = ../a.git\n",                   &[("a", "a", "../a.git")]),
            ("[submodule \"x/y z\"]\npath=\"p q\" ; why\nurl = u # no\n",            &[("x/y z", "p q", "u")]),
            ("[Submodule \"a\\\"b\"]\nPath = a\nURL = b\nbranch = main\n",            &[("a\"b", "a", "b")]),
            ("[include]\npath = /etc/passwd\nurl = x\n",                            &[]),
            ("[submodule \"a\"]\npath = a\n[core]\nurl = x\n",                       &[]),
            ("[submodule \"a\"]\npath = a\nurl = x\n[submodule \"b\"]\nurl = y\n",   &[("a", "a", "x")]),
            ("[submodule \"a\npath = a\nurl = x\n",                                 &[]),
            ("path = a\nurl = b\n",                                                 &[]),
            ("[submodule \"a\"]\npath = a\\\nb\nurl = x\n",                          &[("a", "ab", "x")]),
            ("\u{0}[[[=\n==\n[\"",                                                  &[]),
        ];
        for (text, want) in table {
            let got = parse(text);
            let got: Vec<_> = got
                .iter()
                .map(|it| (it.name.as_str(), it.path.as_str(), it.url.as_str()))
                .collect();
            assert_eq!(got, *want, "{text:?}");
        }
    }
}
