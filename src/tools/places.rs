//! Where there is more than is shown, told by directory, since that is how to ask for
//! less.

use std::collections::BTreeMap;

/// So many directories are remembered.
const PLACES_MAX: usize = 10_000;
/// So many are named.
const PLACES_TOLD_MAX: usize = 5;

/// How much there is in which directory.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, u64>);

impl Places {
    /// Adds what is in the directory of a file.
    pub(super) fn add_file(&mut self, path: &[u8], base: &[u8], count: u64) {
        let dir = path.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &path[..at]);
        self.add(dir, base, count);
    }

    pub(super) fn add(&mut self, dir: &[u8], base: &[u8], count: u64) {
        let below = match dir.strip_prefix(base) {
            Some(b"") => b".",
            Some([b'/', below @ ..]) => below,
            _ => dir,
        };
        let dir = one_line(&String::from_utf8_lossy(below));
        if self.0.len() < PLACES_MAX || self.0.contains_key(&dir) {
            *self.0.entry(dir).or_default() += count;
        }
    }

    /// The places with the most, and the first of them.
    pub(super) fn told(&self) -> (String, Option<String>) {
        let mut places = self.gathered();
        places.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let told: Vec<_> = places
            .iter()
            .take(PLACES_TOLD_MAX)
            .map(|(place, count)| format!("{place} ({})", grouped(*count)))
            .collect();
        let others = if PLACES_TOLD_MAX < places.len() { ", and elsewhere" } else { "" };
        let told = format!("{}{others}", told.join(", "));
        (told, places.into_iter().next().map(|(place, _)| place))
    }

    /// By the first part of their paths in which they differ.
    fn gathered(&self) -> Vec<(String, u64)> {
        let mut names = self.0.keys().map(|place| place.split('/').collect::<Vec<_>>());
        let mut common = names.next().unwrap_or_default();
        for name in names {
            let same = common.iter().zip(&name).take_while(|(one, other)| one == other).count();
            common.truncate(same);
        }
        let mut gathered: BTreeMap<String, u64> = BTreeMap::new();
        for (place, count) in &self.0 {
            let parts: Vec<_> = place.split('/').take(common.len() + 1).collect();
            *gathered.entry(parts.join("/")).or_default() += count;
        }
        gathered.into_iter().collect()
    }
}

/// A path as it is told, in one line whatever it is.
pub(super) fn one_line(path: &str) -> String {
    path.replace('\n', "\\n")
}

/// So many of something.
pub(super) fn count_of(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A number with its thousands told apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if 0 < nth && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Places, grouped};

    #[test]
    fn places_are_told_by_where_they_differ() {
        let mut places = Places::default();
        for (dir, count) in [
            ("/case/repos/app/src/a/b", 3),
            ("/case/repos/app/src/a", 1),
            ("/case/repos/app/test", 2),
        ] {
            places.add(dir.as_bytes(), b"/case", count);
        }
        let told = "repos/app/src (4), repos/app/test (2)".to_owned();
        assert_eq!(places.told(), (told, Some("repos/app/src".into())));
        places.add_file(b"/case/x", b"/case", 9);
        assert_eq!(places.told(), (". (9), repos (6)".into(), Some(".".into())));
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, want) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), want);
        }
    }
}
