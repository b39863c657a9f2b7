//! A page that cannot grow beyond its room, and takes whole lines or none.

use std::fmt::Write;

use crate::outputs::visible::{visible, visible_end, visible_start};

/// Text of at most so many characters.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    left: usize,
    reserved: usize,
    empty: bool,
}

impl Page {
    pub(super) fn new(chars: usize) -> Self {
        Self { text: String::new(), left: chars, reserved: 0, empty: true }
    }

    /// How many characters a line may have now, its end included.
    pub(super) fn room(&self) -> usize {
        self.left.saturating_sub(self.reserved)
    }

    /// Keeps so many for what comes last.
    pub(super) fn reserve(&mut self, chars: usize) {
        self.reserved = chars;
    }

    pub(super) fn release(&mut self) {
        self.reserved = 0;
    }

    /// Adds text, if all of it has room. It is made visible here, whoever it comes from:
    /// what was taken out of an output may hold anything.
    pub(super) fn push(&mut self, text: &str) -> bool {
        let text = visible(text.as_bytes());
        let cost = text.chars().count() + usize::from(!self.empty);
        if self.room() < cost {
            return false;
        }
        if !self.empty {
            self.text.push('\n');
        }
        self.text.push_str(&text);
        self.empty = false;
        self.left -= cost;
        true
    }

    /// Adds a line of any bytes, cut where there is no room for it.
    pub(super) fn cut(&mut self, line: &[u8]) -> bool {
        let room = self.room().saturating_sub(usize::from(!self.empty));
        line_within(line, line, Length::Is(line.len() as u64), room)
            .is_some_and(|line| self.push(&line))
    }

    /// Adds as many of these lines as fit into so much of it, and says how many more
    /// there are.
    pub(super) fn part(&mut self, lines: &[String], room: usize) {
        let mut room = room.min(self.room());
        for (at, line) in lines.iter().enumerate() {
            let line = visible(line.as_bytes());
            let cost = line.chars().count() + 1;
            let rest = lines.len() - at;
            let more = format!("… {} more", thousands(rest as u64));
            let more_cost = more.chars().count() + 1;
            if room < cost || (1 < rest && room < cost + more_cost) {
                if more_cost <= room {
                    self.push(&more);
                }
                return;
            }
            room -= cost;
            self.push(&line);
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// How long a line is, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    Is(u64),
    Over(u64),
}

/// A line as it is shown in so many characters: whole, or its start and its end with a
/// mark between them that says how long it is. `start` and `end` are as much of both
/// as is at hand, and the same if that is all of it.
pub(super) fn line_within(
    start: &[u8],
    end: &[u8],
    length: Length,
    chars_max: usize,
) -> Option<String> {
    let is_all = matches!(length, Length::Is(bytes) if bytes == start.len() as u64);
    if is_all {
        let (text, taken) = visible_start(start, chars_max);
        if taken == start.len() {
            return Some(text);
        }
    }
    let mark = match length {
        Length::Is(bytes) => format!("…[{} bytes]…", thousands(bytes)),
        Length::Over(bytes) => format!("…[over {} bytes]…", thousands(bytes)),
    };
    let room = chars_max.checked_sub(mark.chars().count())?;
    // How a line begins says more than how it ends.
    let (first, taken) = visible_start(start, room * 3 / 4);
    let end = if is_all { &start[taken..] } else { end };
    let (last, _) = visible_end(end, room - first.chars().count());
    Some(format!("{first}{mark}{last}"))
}

/// Any bytes on one line, cut without ceremony: for names and examples.
pub(super) fn short(bytes: &[u8], chars_max: usize) -> String {
    let (mut text, taken) = visible_start(bytes, chars_max);
    if taken < bytes.len() {
        while chars_max <= text.chars().count() && text.pop().is_some() {}
        text.push('…');
    }
    text
}

/// A number as people read it: `12,345`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The same for sizes, in the unit that reads best.
pub(super) fn size(bytes: u64) -> String {
    let mut text = String::new();
    let _ = match bytes {
        0..1_024 => write!(text, "{bytes} bytes"),
        1_024..1_048_576 => write!(text, "{} KiB", bytes >> 10),
        _ => write!(text, "{} MiB", thousands(bytes >> 20)),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::{Length, Page, line_within, short, size, thousands};

    #[test]
    fn numbers_read_well() {
        let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (2_147_483_648, "2,147,483,648")];
        for (number, want) in table {
            assert_eq!(thousands(number), want);
        }
        let table = [(5, "5 bytes"), (2_048, "2 KiB"), (268_435_456, "256 MiB")];
        for (bytes, want) in table {
            assert_eq!(size(bytes), want);
        }
    }

    #[test]
    fn a_line_is_whole_or_says_how_long_it_is() {
        let digits = "0123456789".repeat(10);
        #[rustfmt::skip]
        let table = [
            // fits  shown
            (100,    Some(digits.as_str())),
            (30,     Some("012345678901…[100 bytes]…56789")),
            (13,     Some("…[100 bytes]…")),
            (12,     None),
        ];
        for (fits, want) in table {
            let got = line_within(digits.as_bytes(), digits.as_bytes(), Length::Is(100), fits);
            assert_eq!(got.as_deref(), want, "in {fits}");
            assert!(got.is_none_or(|line| line.chars().count() <= fits));
        }
        // Of a line that is larger than what was read of it.
        let got = line_within(b"the start", b"the end", Length::Is(1 << 31), 40).unwrap();
        assert_eq!(got, "the start…[2,147,483,648 bytes]…the end");
        let table = [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a\nb", 9, "a␊b"), ("ab", 0, "…")];
        for (text, max, want) in table {
            assert_eq!(short(text.as_bytes(), max), want);
        }
    }

    #[test]
    fn a_page_takes_whole_lines_or_none() {
        let mut page = Page::new(20);
        assert!(page.push("12345"));
        assert!(!page.push("123456789012345"), "with its end that is one too many");
        page.reserve(10);
        assert!(!page.push("12345"));
        assert!(page.push("123"));
        page.release();
        assert!(page.push("123456789"));
        assert_eq!(page.finish(), "12345\n123\n123456789");

        let lines: Vec<_> = (0..9).map(|n| format!("line {n}")).collect();
        let mut page = Page::new(100);
        page.part(&lines, 30);
        assert_eq!(page.finish(), "line 0\nline 1\nline 2\n… 6 more");
        let mut page = Page::new(100);
        page.part(&lines, 100);
        assert_eq!(page.finish().lines().count(), 9);
        let mut page = Page::new(3);
        page.part(&lines, 100);
        assert_eq!(page.finish(), "");
    }
}
