//! The patterns of a `.gitattributes` file, as git matches them.
//!
//! `*` and `?` stop at a slash, `**` between slashes does not. A pattern without a
//! slash is for names in any directory below; another one is for paths from the
//! directory that the file is in. Everything is bytes. A pattern of the `ignore` crate
//! is not the same: it has no escapes in brackets, and is for text.

/// One pattern, of a file in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Vec<u8>,
    /// Whether it is for names only.
    of_names: bool,
}

/// A pattern that needs more steps than this for one path is taken not to match: a
/// hostile one could otherwise keep us busy for years.
const STEPS_MAX: u32 = 100_000;

impl Pattern {
    /// None, if it can match no file: a pattern that is for directories, or that says
    /// what is *not* meant, which git knows in `.gitignore` only.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.starts_with(b"!") || text.ends_with(b"/") {
            return None;
        }
        let of_names = !text.contains(&b'/');
        let text = text.strip_prefix(b"/").unwrap_or(text);
        Some(Self { text: text.into(), of_names })
    }

    /// Whether it is for the file `path`, counted from the directory of the pattern.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        let name = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) if self.of_names => &path[slash + 1..],
            _ => path,
        };
        let mut steps = STEPS_MAX;
        matches(&self.text, name, true, &mut steps)
    }
}

/// `begins` says whether `pattern` begins or stands after a slash, where `**` may.
fn matches(mut pattern: &[u8], mut text: &[u8], mut begins: bool, steps: &mut u32) -> bool {
    loop {
        let Some(left) = steps.checked_sub(1) else { return false };
        *steps = left;
        let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
        match first {
            b'*' => return star(rest, text, begins, steps),
            b'?' => match text.split_first() {
                Some((byte, after)) if *byte != b'/' => text = after,
                _ => return false,
            },
            b'[' => {
                let Some((byte, after)) = text.split_first() else { return false };
                let Some((is_in, end)) = bracket(rest, *byte) else { return false };
                if !is_in || *byte == b'/' {
                    return false;
                }
                (pattern, text, begins) = (end, after, false);
                continue;
            }
            _ => {
                // A backslash at the end stands for nothing.
                let escaped =
                    if *first == b'\\' { rest.split_first() } else { Some((first, rest)) };
                let Some((literal, end)) = escaped else { return false };
                let Some((byte, after)) = text.split_first() else { return false };
                if byte != literal {
                    return false;
                }
                (pattern, text, begins) = (end, after, *literal == b'/');
                continue;
            }
        }
        (pattern, begins) = (rest, false);
    }
}

/// The rest of a pattern after a first `*`.
fn star(rest: &[u8], text: &[u8], begins: bool, steps: &mut u32) -> bool {
    let more = rest.iter().take_while(|byte| **byte == b'*').count();
    let rest = &rest[more..];
    let wide = more == 1 && begins && matches!(rest.first(), None | Some(b'/'));
    if wide {
        let Some(below) = rest.strip_prefix(b"/") else { return true };
        // `**/` is also for no directory at all.
        if matches(below, text, true, steps) {
            return true;
        }
        let slashes = text.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        return slashes.map(|(at, _)| at + 1).any(|at| matches(below, &text[at..], true, steps));
    }
    let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
    if rest.is_empty() {
        return end == text.len();
    }
    (0..=end).any(|at| matches(rest, &text[at..], false, steps))
}

/// Whether `byte` is in the set that `pattern` begins with, and what follows the set.
fn bracket(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern.split_first()? {
        (b'!' | b'^', rest) => (true, rest),
        _ => (false, pattern),
    };
    let mut is_in = false;
    let mut first = true;
    loop {
        let (low, after) = match rest.split_first()? {
            (b']', after) if !first => return Some((is_in != negated, after)),
            (b'[', after) if after.starts_with(b":") => {
                let end = after.windows(2).position(|two| two == b":]")?;
                is_in |= class(&after[1..end], byte)?;
                rest = &after[end + 2..];
                first = false;
                continue;
            }
            (b'\\', after) => after.split_first()?,
            other => other,
        };
        first = false;
        rest = after;
        let mut high = *low;
        if let [b'-', end, ..] = after
            && *end != b']'
        {
            let (end, after) = match after[1..].split_first()? {
                (b'\\', after) => after.split_first()?,
                other => other,
            };
            (high, rest) = (*end, after);
        }
        is_in |= (*low..=high).contains(&byte);
    }
}

/// Whether `byte` is of the class `name`; none, if there is no such class.
fn class(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns_match_as_git_says() {
        #[rustfmt::skip]
        let table: &[(&str, &str, bool)] = &[
            // pattern      path          matches
            ("*.txt",       "a.txt",      true),
            ("*.txt",       "d/a.txt",    true),
            ("*.txt",       "a.txt/b",    false),
            ("/*.txt",      "a.txt",      true),
            ("/*.txt",      "d/a.txt",    false),
            ("d/*.txt",     "d/a.txt",    true),
            ("d/*.txt",     "d/e/a.txt",  false),
            ("d/**",        "d/e/a.txt",  true),
            ("d/**",        "d",          false),
            ("**/a",        "a",          true),
            ("**/a",        "d/e/a",      true),
            ("d/**/a",      "d/a",        true),
            ("d/**/a",      "d/e/f/a",    true),
            ("d**/a",       "de/a",       true),
            ("d**/a",       "d/e/a",      false),
            ("a?c",         "abc",        true),
            ("d?c",         "d/c",        false),
            ("[a-c]x",      "bx",         true),
            ("[!a-c]x",     "bx",         false),
            ("[^a-c]x",     "dx",         true),
            ("[]a]x",       "]x",         true),
            ("[a\\]]x",     "]x",         true),
            ("[[:digit:]]", "7",          true),
            ("[[:nope:]]",  "7",          false),
            ("[a-]",        "-",          true),
            ("[a",          "a",          false),
            ("\\*",         "*",          true),
            ("\\*",         "a",          false),
            ("*",           "any",        true),
            ("*",           "d/any",      true),
            ("a*b*c",       "aXbYbZc",    true),
            ("a*b*c",       "aXbYbZ",     false),
            (".*",          ".x",         true),
        ];
        for (pattern, path, want) in table {
            let got = Pattern::new(pattern.as_bytes()).unwrap().matches(path.as_bytes());
            assert_eq!(got, *want, "{pattern} {path}");
        }
        for never in ["", "!a", "dir/"] {
            assert_eq!(Pattern::new(never.as_bytes()), None, "{never}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends() {
        let pattern = Pattern::new(&b"*a".repeat(200)).unwrap();
        assert!(!pattern.matches(&b"a".repeat(199)));
    }
}
