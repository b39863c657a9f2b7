//! What is in a directory, as `read_file` tells it: names in order, and of files how
//! large they are.

use super::{Part, Piece, call, render, wrong};
use crate::jail::hands::wire::{Entry, Kind};
use crate::tools::{Place, ToolError, amount, missing};

/// More than this of one directory helps nobody; `find` narrows.
const ENTRIES_MAX: u64 = 1_000;
/// How many entries are asked for at once.
const ENTRIES_AT_ONCE: usize = 1_000;

pub(super) fn list(
    part: &Part,
    path: &[u8],
    room: usize,
    place: &mut Place<'_>,
) -> Result<Piece, ToolError> {
    let first = u64::try_from(part.from).map_err(|_| {
        let why = format!("`{}` is a directory, which has no lines to count", part.path);
        wrong("from", &why, "Leave it out, or give the number of the first entry.")
    })?;
    let first = first.max(1);
    let most = part.lines.unwrap_or(ENTRIES_MAX).clamp(1, ENTRIES_MAX);
    let shown = place.shown(path);
    let (mut body, mut chars, mut passed, mut told) = (Vec::new(), 0, 0, 0);
    let mut after: Option<Vec<u8>> = None;
    let left = 'all: loop {
        let listing = match place.hands.list(path, after.as_deref(), ENTRIES_AT_ONCE) {
            Ok(listing) => listing,
            Err(error) => return Err(missing::about(path, error, place)),
        };
        let (mut left, all) = (listing.left, listing.entries.len() as u64);
        left += all;
        for entry in &listing.entries {
            if first <= passed + 1 {
                let line = line(entry);
                let cost = render::chars(&line);
                if most <= told || room < chars + cost {
                    break 'all left;
                }
                body.extend_from_slice(&line);
                chars += cost;
                told += 1;
            }
            (passed, left) = (passed + 1, left - 1);
        }
        match listing.entries.last() {
            Some(last) if !listing.at_end => after = Some(last.name.0.clone()),
            _ => break 0,
        }
    };
    let all = passed + left;
    let entries = amount::counted(all, "entry", "entries");
    if told == 0 && 0 < all {
        let why = format!("`{shown}` has {entries}, and none at {first}");
        return Err(wrong("from", &why, "Leave it out to begin with the first."));
    }
    let facts = match told == all {
        true => format!("{shown}: a directory, {entries}"),
        false => {
            let (first, last) = (amount::count(first), amount::count(first + told - 1));
            format!("{shown}: a directory, entries {first}-{last} of {}", amount::count(all))
        }
    };
    let next = (0 < left && part.lines.is_none_or(|lines| told < lines)).then(|| {
        let next = call(&shown, &format!("from={}", passed + 1));
        format!("{next} ({} more; find with a name is shorter)", amount::count(left))
    });
    Ok(Piece { facts, body, chars, next })
}

/// A name says by its end what it is, as `ls -p` does it.
fn line(entry: &Entry) -> Vec<u8> {
    let about = match entry.facts.kind {
        Kind::File => format!("  {}", amount::size(entry.facts.size)),
        Kind::Directory => "/".to_owned(),
        Kind::Link => "  link".to_owned(),
        Kind::Fifo => "  FIFO".to_owned(),
        Kind::Socket => "  socket".to_owned(),
        Kind::Device => "  device".to_owned(),
    };
    // A line of the listing is one entry, whatever a name has in it.
    let name = entry.name.escape_newlines();
    [&name[..], about.as_bytes(), b"\n"].concat()
}

trait OneLine {
    fn escape_newlines(&self) -> Vec<u8>;
}

impl OneLine for [u8] {
    fn escape_newlines(&self) -> Vec<u8> {
        let mut told = Vec::with_capacity(self.len());
        for byte in self {
            match byte {
                b'\n' => told.extend(b"\\n"),
                b'\t' => told.extend(b"\\t"),
                byte => told.push(*byte),
            }
        }
        told
    }
}
