//! Where a repository comes from: a URL that git fetches from, or a checkout on
//! this machine whose objects are used where they are.
//!
//! A text is read as git reads it: what has a scheme or a host is a URL, anything
//! else is a path. A URL may hold a password, so nothing shows one before it went
//! through [`Source::shown`].

use std::fmt;
use std::path::{Path, PathBuf};

use super::RepoError;

/// Where a mirror is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Fetched by git. Not an option, not empty, no control characters.
    Url(String),
    /// A checkout, a worktree of one, or a bare repository; an absolute path.
    Checkout(PathBuf),
}

const URL_BYTES_MAX: usize = 4_096;

impl Source {
    /// What was typed, in this directory.
    pub fn parse(given: &str, directory: &Path) -> Result<Self, RepoError> {
        let bad = |why| RepoError::Source { given: show(given), why };
        if given.is_empty() {
            return Err(bad("it is empty"));
        }
        if given.len() > URL_BYTES_MAX {
            return Err(bad("it is too long"));
        }
        if given.chars().any(char::is_control) {
            return Err(bad("it holds a control character"));
        }
        if given.starts_with('-') {
            return Err(bad("git would take it for an option"));
        }
        if is_url(given) {
            return Ok(Self::Url(given.into()));
        }
        Ok(Self::Checkout(directory.join(given)))
    }

    /// As it may be shown and kept in a manifest: without a password.
    pub fn shown(&self) -> String {
        match self {
            Self::Url(url) => show(url),
            Self::Checkout(path) => path.display().to_string(),
        }
    }

    /// What git said, with the password of this URL left out.
    pub(super) fn without_secrets(&self, said: &str) -> String {
        let Self::Url(url) = self else { return said.into() };
        let said = said.replace(url.as_str(), &show(url));
        match secret(url) {
            Some(secret) if !secret.is_empty() => said.replace(secret, "***"),
            _ => said,
        }
    }

    /// The URL of a submodule that says this of itself.
    pub(super) fn of_submodule(&self, url: &str) -> Result<Self, RepoError> {
        if !(url.starts_with("./") || url.starts_with("../")) {
            return match Self::parse(url, Path::new("/"))? {
                // A repository may not name a directory of this machine.
                Self::Checkout(_) => {
                    Err(RepoError::Source { given: show(url), why: "it is a path of this machine" })
                }
                source => Ok(source),
            };
        }
        let base = match self {
            Self::Url(base) => base.trim_end_matches('/'),
            Self::Checkout(_) => {
                return Err(RepoError::Source {
                    given: show(url),
                    why: "it is relative to a checkout",
                });
            }
        };
        let (mut base, mut rest) = (base.to_owned(), url);
        loop {
            if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("../") {
                let bad = RepoError::Source { given: show(url), why: "it leads above its host" };
                let cut = base.rfind('/').or_else(|| base.rfind(':')).ok_or(bad)?;
                base.truncate(cut);
                if base.ends_with('/') || base.is_empty() {
                    return Err(RepoError::Source {
                        given: show(url),
                        why: "it leads above its host",
                    });
                }
                rest = after;
            } else {
                break;
            }
        }
        Self::parse(&format!("{base}/{rest}"), Path::new("/"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// As git decides: a scheme, a helper's name, or a host before a colon.
fn is_url(given: &str) -> bool {
    let Some(colon) = given.find(':') else { return false };
    let rest = &given[colon..];
    rest.starts_with("://") || rest.starts_with("::") || !given[..colon].contains('/')
}

/// What stands between the name and the host of a URL.
fn secret(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let (user, _) = authority.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

fn show(url: &str) -> String {
    match secret(url) {
        Some(secret) if !secret.is_empty() => url.replacen(&format!(":{secret}@"), ":***@", 1),
        _ => url.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Source;

    #[test]
    fn a_url_is_told_from_a_path_as_git_tells_it() {
        let url = |text: &str| Some(Source::Url(text.into()));
        let path = |text: &str| Some(Source::Checkout(text.into()));
        #[rustfmt::skip]
        let table = [
            ("https://a.example/b.git",     url("https://a.example/b.git")),
            ("git@a.example:b/c.git",       url("git@a.example:b/c.git")),
            ("ssh://a.example/b",           url("ssh://a.example/b")),
            ("file:///srv/a",               url("file:///srv/a")),
            ("ext::sh -c true",             url("ext::sh -c true")),
            (".",                           path("/work/.")),
            ("../a",                        path("/work/../a")),
            ("/srv/a:b",                    path("/srv/a:b")),
            ("./a:b",                       path("/work/./a:b")),
            ("a",                           path("/work/a")),
            ("",                            None),
            ("--upload-pack=touch /tmp/x",  None),
            ("-u:x",                        None),
            ("https://a.example/\nb",       None),
        ];
        for (given, want) in table {
            assert_eq!(Source::parse(given, Path::new("/work")).ok(), want, "{given:?}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let parse = |text| Source::parse(text, Path::new("/")).unwrap();
        #[rustfmt::skip]
        let table = [
            ("https://me:tok3n@a.example/b",      "https://me:***@a.example/b"),
            ("https://me:a@b:c@a.example/b",      "https://me:***@a.example/b"),
            ("https://me@a.example/b",            "https://me@a.example/b"),
            ("https://a.example/b",               "https://a.example/b"),
            ("git@a.example:b",                   "git@a.example:b"),
        ];
        for (given, want) in table {
            assert_eq!(parse(given).shown(), want);
        }
        let said = "fatal: unable to access 'https://me:tok3n@a.example/b/': tok3n";
        let source = parse("https://me:tok3n@a.example/b");
        assert!(!source.without_secrets(said).contains("tok3n"));
    }

    #[test]
    fn a_submodule_is_found_relative_to_its_parent_and_never_on_this_machine() {
        #[rustfmt::skip]
        let table = [
            // parent                        its url                what it leads to
            ("https://a.example/x/app.git",  "../lib.git",          Some("https://a.example/x/lib.git")),
            ("https://a.example/x/app.git",  "../../y/lib",         Some("https://a.example/y/lib")),
            ("https://a.example/x/app.git/", "./lib",               Some("https://a.example/x/app.git/lib")),
            ("git@a.example:x/app.git",      "../lib.git",          Some("git@a.example:x/lib.git")),
            ("https://a.example/app",        "git@b.example:c",     Some("git@b.example:c")),
            ("https://a.example/app",        "/etc",                None),
            ("https://a.example/app",        "lib",                 None),
            ("https://a.example/app",        "-u./x",               None),
            ("https://a.example/app",        "../../../../x",       None),
            ("https://a.example/app",        "",                    None),
        ];
        for (parent, url, want) in table {
            let parent = Source::Url(parent.into());
            let got = parent.of_submodule(url).ok();
            assert_eq!(got, want.map(|want| Source::Url(want.into())), "{parent} {url}");
        }
    }
}
