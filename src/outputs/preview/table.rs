//! Tables: which columns, how many rows, what is in each column.
//!
//! Read cell by cell, so that a cell with the ends of lines in it is one cell, and a
//! quote that never closes costs no memory.

use std::io;

use super::page::{short, thousands};
use super::reading::{at, each_block};
use super::stamp::stamp;
use super::{About, Sketch, Source};
use crate::outputs::kind::KIND_BYTES;

/// So many columns are told apart, and so much is remembered of one cell.
const COLUMNS_MAX: usize = 300;
const CELL_BYTES_MAX: usize = 128;

const NAME_CHARS: usize = 40;
const EXAMPLE_CHARS: usize = 40;

/// Of a beginning, so many rows are compared, and so many must be there.
const ROWS_COMPARED: usize = 50;
const ROWS_MIN: u64 = 3;

/// The name of a column is no code and no prose.
const NAME_BYTES_MAX: usize = 64;
const NAME_WORDS_MAX: usize = 4;

/// What parts the columns, if this is the beginning of a table with a header.
pub(in crate::outputs) fn delimiter(head: &[u8]) -> Option<u8> {
    b"\t,;".iter().copied().find(|delimiter| {
        let mut table = Table::new(*delimiter);
        for line in head.split_inclusive(|byte| *byte == b'\n').take(ROWS_COMPARED) {
            // The last may be cut off, and so is what is in quotes then.
            if line.ends_with(b"\n") {
                table.feed(line);
            }
        }
        let names = &table.columns;
        ROWS_MIN <= table.rows
            && (2..COLUMNS_MAX).contains(&names.len())
            && names.iter().all(|column| is_name(column.name.as_bytes()))
            && table.uneven * 10 <= table.rows
    })
}

/// Whether a cell could be the name of a column.
fn is_name(cell: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _.-/%#$@:()[]&+*".contains(byte);
    let words = cell.split(|byte| *byte == b' ').count();
    cell.len() <= NAME_BYTES_MAX
        && words <= NAME_WORDS_MAX
        && cell.iter().all(|byte| plain(byte) || !byte.is_ascii())
        && cell.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        && !cell.ends_with(b".")
        && stamp(cell).is_none()
}

pub(super) fn sketch(source: &mut dyn Source, size: u64, about: &About<'_>) -> io::Result<Sketch> {
    let head = at(source, 0, KIND_BYTES)?;
    let mut table = Table::new(delimiter(&head).unwrap_or(b','));
    let part = each_block(source, size, |block| {
        table.feed(block);
        true
    })?;
    if part.whole {
        table.end();
    }
    let rows = table.rows.saturating_sub(1);
    let mut lines = Vec::new();
    let columns = thousands(table.columns.len() as u64);
    lines.push(format!("{columns} columns, {} rows under a header", thousands(rows)));
    if 0 < table.uneven {
        let uneven = thousands(table.uneven);
        lines.push(format!("[rows with more or fewer cells than the header: {uneven}]"));
    }
    lines.extend(part.note());
    lines.extend(table.columns.iter().map(|column| column.line(rows)));
    Ok(Sketch { lines, next: Some(format!("grep in {0}, or read_file {0} from=2", about.path)) })
}

/// A reader that is somewhere in a table.
#[derive(Debug)]
struct Table {
    delimiter: u8,
    columns: Vec<Column>,
    rows: u64,
    uneven: u64,
    /// Which cell of its row is being read.
    at: usize,
    cell: Vec<u8>,
    quoted: bool,
    row_is_begun: bool,
}

#[derive(Debug, Default)]
struct Column {
    name: String,
    filled: u64,
    numbers: u64,
    least: f64,
    greatest: f64,
    example: String,
}

impl Table {
    fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            columns: Vec::new(),
            rows: 0,
            uneven: 0,
            at: 0,
            cell: Vec::new(),
            quoted: false,
            row_is_begun: false,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match *byte {
                // Two of them within quotes open them again at once.
                b'"' if self.delimiter != b'\t' => {
                    self.quoted = !self.quoted;
                    self.row_is_begun = true;
                }
                b'\n' if !self.quoted => self.end(),
                byte if byte == self.delimiter && !self.quoted => {
                    self.cell();
                    self.row_is_begun = true;
                }
                byte => {
                    self.row_is_begun = true;
                    if self.cell.len() < CELL_BYTES_MAX {
                        self.cell.push(byte);
                    }
                }
            }
        }
    }

    /// The end of a row, unless there is nothing in it.
    fn end(&mut self) {
        if !self.row_is_begun {
            return;
        }
        if self.cell.last() == Some(&b'\r') {
            self.cell.pop();
        }
        self.cell();
        if self.rows != 0 && self.at != self.columns.len() && self.columns.len() < COLUMNS_MAX {
            self.uneven += 1;
        }
        self.rows += 1;
        self.at = 0;
        self.row_is_begun = false;
    }

    fn cell(&mut self) {
        let cell = self.cell.trim_ascii();
        if self.rows == 0 {
            if self.columns.len() < COLUMNS_MAX {
                let name = short(cell, NAME_CHARS);
                self.columns.push(Column { name, ..Column::default() });
            }
        } else if let Some(column) = self.columns.get_mut(self.at)
            && !cell.is_empty()
        {
            column.see(cell);
        }
        self.at += 1;
        self.cell.clear();
    }
}

impl Column {
    fn see(&mut self, cell: &[u8]) {
        self.filled += 1;
        if self.example.is_empty() {
            self.example = short(cell, EXAMPLE_CHARS);
        }
        // Neither `inf` nor `nan`, which are rather names here.
        let is_number = cell.iter().all(|byte| b"0123456789+-.eE".contains(byte));
        let number =
            is_number.then(|| std::str::from_utf8(cell).ok()?.parse::<f64>().ok()).flatten();
        if let Some(number) = number {
            self.numbers += 1;
            if self.numbers == 1 {
                (self.least, self.greatest) = (number, number);
            }
            self.least = self.least.min(number);
            self.greatest = self.greatest.max(number);
        }
    }

    fn line(&self, rows: u64) -> String {
        let what = match self.filled {
            0 => "empty".into(),
            filled if self.numbers == filled => {
                format!("number, {} to {}", number(self.least), number(self.greatest))
            }
            _ => format!("text, as {}", self.example),
        };
        let mut line = format!("  {}: {what}", self.name);
        if 0 < self.filled && self.filled < rows {
            let (empty, rows) = (thousands(rows - self.filled), thousands(rows));
            line += &format!(", empty in {empty} of {rows}");
        }
        line
    }
}

/// A number without three hundred digits.
fn number(number: f64) -> String {
    let plain = number == 0.0 || (1e-6..1e15).contains(&number.abs());
    if plain { number.to_string() } else { format!("{number:e}") }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::outputs::preview::tests::shown;

    #[test]
    fn columns_rows_and_what_is_in_them() {
        let mut csv = String::from("at,service,latency ms,note\r\n");
        for n in 0..2_000 {
            let note = if n % 4 == 0 { "\"slow, \"\"very\"\"\nslow\"" } else { "" };
            csv += &format!("2026-03-01T12:00:00Z,pay-{n},{}.5,{note}\r\n", n % 300);
        }
        csv += "2026-03-01T12:00:00Z,short\r\n";
        insta::assert_snapshot!(shown(csv.as_bytes(), 900), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · CSV · 84,676 bytes · 2,502 lines · sha256 e3b0c44298fc1c14…
        4 columns, 2,001 rows under a header
        [rows with more or fewer cells than the header: 1]
          at: text, as 2026-03-01T12:00:00Z
          service: text, as pay-0
          latency ms: number, 0.5 to 299.5, empty in 1 of 2,001
          note: text, as slow, very␊slow, empty in 1,501 of 2,001
        [lines 1-5 of 2,502]
        at,service,latency ms,note
        2026-03-01T12:00:00Z,pay-0,0.5,"slow, ""very""
        slow"
        2026-03-01T12:00:00Z,pay-1,1.5,
        2026-03-01T12:00:00Z,pay-2,2.5,
        [lines 2,498-2,502]
        slow"
        2026-03-01T12:00:00Z,pay-1997,197.5,
        2026-03-01T12:00:00Z,pay-1998,198.5,
        2026-03-01T12:00:00Z,pay-1999,199.5,
        2026-03-01T12:00:00Z,short
        next: grep in /case/outputs/0007-shell.txt, or read_file /case/outputs/0007-shell.txt from=2
        "#);
        let tsv: String = (0..500).map(|n| format!("{n}\tname {n}\n")).collect();
        let shown = shown(format!("id\tname\n{tsv}").as_bytes(), 900);
        assert!(
            shown.contains("2 columns, 500 rows under a header\n  id: number, 0 to 499\n"),
            "{shown}"
        );
    }

    #[test]
    fn tables_are_told_from_code_and_prose() {
        #[rustfmt::skip]
        let table = [
            ("a,b\n1,2\n3,4\n",                                  Some(b',')),
            ("name;price in euro\n\"a;b\";2,50\nc;3,50\n",        Some(b';')),
            ("a\tb\n1\t2, and more, and more\n3\t\n",              Some(b'\t')),
            ("a,b\n",                                            None),
            ("a,b\n1,2,3\n4\n5,6\n",                             None),
            ("pay(a, b);\npay(c, d);\npay(e, f);\n",                         None),
            ("It was late, and dark.\nWe left, and slept.\nAll, at last.\n",    None),
            ("2026-03-01 12:00:00,7 up\n2026-03-01 12:00:01,7 down\n", None),
            ("one\ntwo\n",                                       None),
        ];
        for (text, want) in table {
            assert_eq!(super::delimiter(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn a_quote_without_end_and_columns_without_number_are_bounded() {
        let mut table = Table::new(b',');
        table.feed(b"a,b\n1,\"");
        table.feed(&vec![b'x'; 5_000_000]);
        assert!(table.cell.capacity() < 1_000);
        let mut table = Table::new(b',');
        table.feed(&b"a,".repeat(100_000));
        table.feed(b"\n");
        assert_eq!(table.columns.len(), super::COLUMNS_MAX);
    }
}
