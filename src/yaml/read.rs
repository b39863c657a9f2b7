//! From a path to bytes to text, without trusting the path or the bytes.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{FILE_BYTES_MAX, Located, Place};

/// The bytes of a file that people write: a regular one, and not a large one.
#[expect(clippy::disallowed_methods, reason = "the one door for files that people write")]
pub fn read(file: &Path) -> Result<Vec<u8>, Located> {
    let failed = |error: io::Error| {
        let (what, hint) = match error.kind() {
            ErrorKind::NotFound => ("there is no such file", "Correct the path."),
            ErrorKind::PermissionDenied => ("the file cannot be read", "Make it readable for you."),
            _ => return Located::whole(file, "the file cannot be read").because(error),
        };
        Located::whole(file, what).hint(hint).because(error)
    };
    // A FIFO would make open wait for a writer, and a terminal would become ours.
    let mut opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(file)
        .map_err(failed)?;
    let about = opened.metadata().map_err(failed)?;
    if !about.is_file() {
        let what = if about.is_dir() { "a directory" } else { "not a regular file" };
        return Err(Located::whole(
            file,
            format_args!("this is {what}, and YAML is read from files"),
        ));
    }
    if about.len() > FILE_BYTES_MAX {
        return Err(too_large(file));
    }
    // It may grow while it is read.
    let mut bytes = Vec::new();
    opened.by_ref().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The text in the bytes: UTF-8 without control characters, so that nothing
/// stands in a file that an editor would not show.
pub(super) fn text<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str, Located> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large(file));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let at = Place { line: 1, column: 1 };
        return Err(
            Located::at(file, at, "the text is UTF-16, not UTF-8").hint("Save the file as UTF-8.")
        );
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            return Err(Located::at(file, end_of(&before), "the bytes here are not UTF-8")
                .hint("Save the file as UTF-8."));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    if let Some((at, c)) = text.char_indices().find(|(_, c)| control(*c)) {
        let message = format_args!("a control character, U+{:04X}", u32::from(c));
        return Err(Located::at(file, end_of(&text[..at]), message)
            .hint("Remove it, or write it as an escape inside double quotes."));
    }
    Ok(text)
}

fn too_large(file: &Path) -> Located {
    let mib = FILE_BYTES_MAX / (1024 * 1024);
    Located::whole(file, format_args!("the file is larger than {mib} MiB"))
}

/// The place just behind `text`.
fn end_of(text: &str) -> Place {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place { line: line as u64, column: last.chars().count() as u64 + 1 }
}
