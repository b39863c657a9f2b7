//! From the bytes of a blob to those of the file: line ends and `$Id$`, as git would
//! write them with no configuration of its own.

use git2::Oid;

use super::attributes::{Ends, Finish};

impl Finish {
    /// The bytes of the file, if they are not those of the blob.
    pub(super) fn apply(self, blob: &[u8], id: Oid) -> Option<Vec<u8>> {
        let filled = self.ident.then(|| fill_in(blob, id)).flatten();
        let bytes = filled.as_deref().unwrap_or(blob);
        let ended = match self.ends {
            Ends::AsStored => None,
            Ends::CrLf => with_crlf(bytes),
            Ends::CrLfIfText => Shape::of(bytes).wants_crlf().then(|| with_crlf(bytes)).flatten(),
        };
        ended.or(filled)
    }
}

/// Each LF that has no CR before it gets one.
fn with_crlf(bytes: &[u8]) -> Option<Vec<u8>> {
    let lone = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
    let lines = (0..bytes.len()).filter(|at| lone(*at)).count();
    if lines == 0 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + lines);
    for (at, byte) in bytes.iter().enumerate() {
        if lone(at) {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    Some(out)
}

/// What git counts before it takes bytes for text.
#[derive(Debug, Default)]
struct Shape {
    zeros: usize,
    returns: usize,
    printable: usize,
    other: usize,
}

impl Shape {
    fn of(bytes: &[u8]) -> Self {
        let mut shape = Self::default();
        for byte in bytes {
            match byte {
                b'\r' => shape.returns += 1,
                b'\n' => {}
                0x08 | b'\t' | 0x0c | 0x1b => shape.printable += 1,
                0 => {
                    shape.zeros += 1;
                    shape.other += 1;
                }
                0x7f | 0..0x20 => shape.other += 1,
                _ => shape.printable += 1,
            }
        }
        // The end of a file, on old systems.
        if bytes.last() == Some(&0x1a) {
            shape.other -= 1;
        }
        shape
    }

    fn wants_crlf(&self) -> bool {
        self.returns == 0 && self.zeros == 0 && self.other <= self.printable >> 7
    }
}

/// Each `$Id$`, and each `$Id: ... $` that git itself could have filled in.
fn fill_in(bytes: &[u8], id: Oid) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(3).position(|three| three == b"$Id") {
        let begin = at + found;
        let rest = &bytes[begin + 3..];
        let end = match rest.first() {
            Some(b'$') => Some(begin + 4),
            Some(b':') => rest
                .iter()
                .position(|byte| matches!(byte, b'$' | b'\n'))
                .filter(|end| rest[*end] == b'$' && is_gits_own(&rest[1..*end]))
                .map(|end| begin + 3 + end + 1),
            _ => None,
        };
        let Some(end) = end else {
            at = begin + 3;
            continue;
        };
        let out = out.get_or_insert_default();
        out.extend_from_slice(&bytes[kept..begin]);
        out.extend_from_slice(format!("$Id: {id} $").as_bytes());
        (kept, at) = (end, end);
    }
    let mut out = out?;
    out.extend_from_slice(&bytes[kept..]);
    Some(out)
}

/// Another system's text has spaces inside, and stays as it is.
fn is_gits_own(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b" ").unwrap_or(text);
    let inner = inner.strip_suffix(b" ").unwrap_or(inner);
    !inner.contains(&b' ')
}

#[cfg(test)]
mod tests {
    use git2::Oid;

    use super::{Ends, Finish};

    #[test]
    fn bytes_are_changed_as_git_changes_them() {
        use Ends::{AsStored, CrLf, CrLfIfText};
        #[rustfmt::skip]
        let table: &[(Ends, &[u8], &[u8])] = &[
            // ends        blob             file
            (AsStored,     b"a\nb\n",       b"a\nb\n"),
            (CrLf,         b"a\nb\n",       b"a\r\nb\r\n"),
            (CrLf,         b"a\r\nb\n",     b"a\r\nb\r\n"),
            (CrLf,         b"\n\0\n",       b"\r\n\0\r\n"),
            (CrLf,         b"",             b""),
            (CrLfIfText,   b"a\nb\n",       b"a\r\nb\r\n"),
            (CrLfIfText,   b"a\r\nb\n",     b"a\r\nb\n"),
            (CrLfIfText,   b"a\n\0\n",      b"a\n\0\n"),
            (CrLfIfText,   b"\x01\x02\n",   b"\x01\x02\n"),
            (CrLfIfText,   b"a\n\x1a",      b"a\r\n\x1a"),
        ];
        for (ends, blob, file) in table {
            let finish = Finish { ends: *ends, ident: false };
            let got = finish.apply(blob, Oid::ZERO_SHA1);
            let shown = blob.escape_ascii();
            assert_eq!(got.as_deref().unwrap_or(blob), *file, "{ends:?} {shown}");
        }
    }

    #[test]
    fn an_id_is_filled_in_where_git_would() {
        let id = "0".repeat(40);
        let filled = format!("$Id: {id} $");
        #[rustfmt::skip]
        let table = [
            ("x $Id$ y",                format!("x {filled} y")),
            ("$Id: abc $$Id$",          format!("{filled}{filled}")),
            ("$Id: a b c $",            "$Id: a b c $".into()),
            ("$Id: open\n$",            "$Id: open\n$".into()),
            ("$Idx$",                   "$Idx$".into()),
            ("$Id",                     "$Id".into()),
        ];
        for (blob, want) in table {
            let finish = Finish { ends: Ends::AsStored, ident: true };
            let got = finish.apply(blob.as_bytes(), Oid::ZERO_SHA1);
            assert_eq!(got.as_deref().unwrap_or(blob.as_bytes()), want.as_bytes(), "{blob}");
        }
    }
}
