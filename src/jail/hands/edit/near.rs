//! Where a passage may have been meant that is not there: the places whose lines look
//! most like it.

use std::collections::HashMap;

use super::compare::shortened;
use super::told::Near;

const TOLD_MAX: usize = 3;
/// Of a place, so many lines are told.
const LINES_TOLD_MAX: usize = 6;
/// So many lines are held against the passage letter by letter, and so much of each.
const COMPARED_MAX: usize = 20_000;
const COMPARED_BYTES_MAX: usize = 200;
/// Less alike is not alike.
const ALIKE_MIN: f64 = 0.5;

pub(super) fn misses(text: &[u8], passage: &[u8]) -> Vec<Near> {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let wanted: Vec<&[u8]> = passage.split(|byte| *byte == b'\n').collect();
    let mut places = same_lines(&lines, &wanted);
    if places.is_empty() {
        places = alike_lines(&lines, &wanted);
    }
    places.truncate(TOLD_MAX);
    let told = wanted.len().min(LINES_TOLD_MAX);
    let near = places.into_iter().map(|at| {
        let lines = lines[at..].iter().take(told).map(|line| shortened(line)).collect();
        Near { line: at as u64 + 1, lines }
    });
    near.collect()
}

/// Places with lines that are the passage's but for the space around them, those with
/// the most first.
fn same_lines(lines: &[&[u8]], wanted: &[&[u8]]) -> Vec<usize> {
    let mut offsets: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (nth, line) in wanted.iter().enumerate() {
        // A bracket alone says nothing about a place.
        if 3 <= line.trim_ascii().len() {
            offsets.entry(line.trim_ascii()).or_default().push(nth);
        }
    }
    let mut same: HashMap<usize, usize> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        for nth in offsets.get(line.trim_ascii()).into_iter().flatten().take(LINES_TOLD_MAX) {
            if let Some(begin) = at.checked_sub(*nth) {
                *same.entry(begin).or_default() += 1;
            }
        }
    }
    let mut places: Vec<_> = same.into_iter().collect();
    places.sort_by_key(|(at, same)| (std::cmp::Reverse(*same), *at));
    places.into_iter().map(|(at, _)| at).collect()
}

/// Places with a line that is spelt nearly as the longest of the passage.
fn alike_lines(lines: &[&[u8]], wanted: &[&[u8]]) -> Vec<usize> {
    let comparable = |line: &[u8]| {
        let line = line.trim_ascii();
        String::from_utf8_lossy(&line[..line.len().min(COMPARED_BYTES_MAX)]).into_owned()
    };
    let longest = wanted.iter().enumerate().max_by_key(|(_, line)| line.trim_ascii().len());
    let Some((nth, longest)) = longest else { return Vec::new() };
    let longest = comparable(longest);
    // As above: a bracket alone is everywhere.
    if longest.len() < 3 {
        return Vec::new();
    }
    let mut places: Vec<(f64, usize)> = Vec::new();
    for (at, line) in lines.iter().enumerate().take(COMPARED_MAX) {
        let alike = strsim::sorensen_dice(&comparable(line), &longest);
        if ALIKE_MIN <= alike && nth <= at {
            places.push((alike, at - nth));
        }
    }
    places.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    places.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::misses;

    #[test]
    fn the_place_that_was_meant_is_found() {
        let text = b"fn one() {\n    first();\n}\n\nfn two() {\n    second(\"x\");\n}\n";
        #[rustfmt::skip]
        let table: &[(&str, &[u64])] = &[
            // passage                                  lines
            ("fn two() {\n  second(\"x\");\n}",         &[5]),
            ("fn two() {\n    second('x');\n}",         &[5]),
            ("    secund(\"x\");",                      &[6]),
            ("fn three() {",                            &[1, 5]),
            ("something else",                          &[]),
            ("}\n",                                     &[]),
            ("",                                        &[]),
        ];
        for (passage, want) in table {
            let near = misses(text, passage.as_bytes());
            let mut lines: Vec<_> = near.iter().map(|near| near.line).collect();
            lines.sort_unstable();
            assert_eq!(lines, *want, "{passage:?}");
        }
    }
}
