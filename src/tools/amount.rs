//! How much there is, in words.

/// A size, in the unit that makes it short: `9.8 KiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (u128::from(bytes) * 10 / 1024, 0);
    while 10_240 <= tenths && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    if 1_000 <= tenths {
        return format!("{} {}", tenths / 10, UNITS[unit]);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A number that can be read at a glance: `12,345`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if 0 < nth && (digits.len() - nth).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// So many of something: `1 line`, `2,000 lines`.
pub(super) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::{count, counted, size};

    #[test]
    fn amounts_are_short_and_right() {
        #[rustfmt::skip]
        let table = [
            (0,             "0 B",      "0"),
            (999,           "999 B",    "999"),
            (1_023,         "1023 B",   "1,023"),
            (1_024,         "1.0 KiB",  "1,024"),
            (10_086,        "9.8 KiB",  "10,086"),
            (102_400,       "100 KiB",  "102,400"),
            (1_048_575,     "1023 KiB", "1,048,575"),
            (1_048_576,     "1.0 MiB",  "1,048,576"),
            (u64::MAX,      "15.9 EiB", "18,446,744,073,709,551,615"),
        ];
        for (number, as_size, as_count) in table {
            assert_eq!((size(number).as_str(), count(number).as_str()), (as_size, as_count));
        }
        assert_eq!(counted(1, "line", "lines"), "1 line");
        assert_eq!(counted(0, "line", "lines"), "0 lines");
    }
}
