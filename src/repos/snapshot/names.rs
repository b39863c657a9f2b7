//! The names in a tree that are never written to disk.
//!
//! git refuses to check out a tree with such a name, and so do we: the whole tree, by
//! the rules that git has on Linux. A `.git` of a tree would give the repository's
//! author a configuration that the reader's git obeys; `..` and `/` lead out of the
//! tree. The rules for Windows are among git's own everywhere, since 2019.

/// Why a tree cannot be checked out with an entry called `name`.
pub(super) fn refused(name: &[u8], is_link: bool) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it has no name");
    }
    if name == b"." || name == b".." {
        return Some("it leads out of its directory");
    }
    if name.contains(&b'/') || name.contains(&0) {
        return Some("it is not the name of one file");
    }
    // What Windows would take for a directory counts as one.
    for part in name.split(|byte| *byte == b'\\') {
        if is_git(part) {
            return Some("git keeps its own files under such a name");
        }
        if is_link && part.eq_ignore_ascii_case(b".gitmodules") {
            return Some("it may not be a symbolic link");
        }
    }
    None
}

/// `.git` and what Windows takes for it: any case, its short name, spaces, dots or a
/// stream after it.
fn is_git(name: &[u8]) -> bool {
    let starts = |with: &[u8]| {
        let (start, rest) = name.split_at_checked(with.len())?;
        start.eq_ignore_ascii_case(with).then_some(rest)
    };
    let Some(rest) = starts(b".git").or_else(|| starts(b"git~1")) else { return false };
    let before_stream = rest.split(|byte| *byte == b':').next().unwrap_or_default();
    before_stream.iter().all(|byte| matches!(byte, b' ' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::refused;

    #[test]
    fn what_git_refuses_is_refused() {
        #[rustfmt::skip]
        let table: &[(&[u8], bool, bool)] = &[
            // name              link    refused
            (b"a",               false,  false),
            (b"",                false,  true),
            (b".",               false,  true),
            (b"..",              false,  true),
            (b"...",             false,  false),
            (b"a/b",             false,  true),
            (b"a\0b",            false,  true),
            (b".git",            false,  true),
            (b".GIT",            false,  true),
            (b".gitt",           false,  false),
            (b".gitignore",      false,  false),
            (b".git ",           false,  true),
            (b".git. .",         false,  true),
            (b".git::$DATA",     false,  true),
            (b"git~1",           false,  true),
            (b"git~2",           false,  false),
            (b"a\\.git",         false,  true),
            (b"a\\b",            false,  false),
            (b"\xff\xfe",        false,  false),
            (b"git",             false,  false),
            (b".gitmodules",     true,   true),
            (b".gitmodules",     false,  false),
        ];
        for (name, is_link, want) in table {
            let got = refused(name, *is_link);
            assert_eq!(got.is_some(), *want, "{:?}: {got:?}", name.escape_ascii().to_string());
        }
    }
}
