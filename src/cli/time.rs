//! Times as people write them, read into one moment.
//!
//! A time without a zone is taken in the zone of whoever typed it, and that is said.
//! One that a clock showed twice, or never, because it was put forward or back, is
//! refused: which of the two was meant decides which commit was live.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::hint::Hint;

/// A moment, and how it was understood if that needs saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) told: Option<String>,
}

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    #[error("`{0}` is no time")]
    Unknown(String),
    #[error("there is no time zone `{0}`")]
    Zone(String),
    #[error("`{given}` never was in {zone}: the clocks were put forward")]
    Gap { given: String, zone: String, after: String },
    #[error("`{given}` was twice in {zone}: the clocks were put back")]
    Fold { given: String, zone: String, either: [String; 2] },
}

impl Hint for BadTime {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(_) => "Write `2026-03-01T03:12:00Z`, `2026-03-01 03:12 Europe/Paris`, `yesterday 14:00` or `-2h`.".into(),
            Self::Zone(_) => "Name a zone as in `Europe/Paris`, `UTC` or `+01:00`.".into(),
            Self::Gap { after, .. } => format!("Did you mean `{after}`?"),
            Self::Fold { either: [first, second], .. } => {
                format!("Write `{first}` or `{second}`.")
            }
        })
    }
}

/// Reads a time that somebody in `zone` wrote at `now`.
pub(crate) fn parse(given: &str, now: Timestamp, zone: &TimeZone) -> Result<Moment, BadTime> {
    let text = given.trim();
    let unknown = || BadTime::Unknown(given.into());
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment { at, told: None });
    }
    if text == "now" {
        return Ok(Moment { at: now, told: None });
    }
    if let Some(ago) = text.strip_prefix('-') {
        let at = now.checked_sub(span(ago).ok_or_else(unknown)?).map_err(|_| unknown())?;
        return Ok(Moment { at, told: Some(at.to_string()) });
    }
    let (civil, rest) = civil(text, now, zone).ok_or_else(unknown)?;
    let (zone, is_named) = match rest.trim() {
        "" => (zone.clone(), false),
        named => (zone_of(named).ok_or_else(|| BadTime::Zone(named.into()))?, true),
    };
    let at = unambiguous(given, civil, &zone)?;
    let told = match is_named {
        true => at.to_string(),
        false => format!("{at}, as {civil} in {}", name(&zone)),
    };
    Ok(Moment { at, told: Some(told) })
}

/// A day, a time of it, and what is left of the text.
fn civil<'a>(text: &'a str, now: Timestamp, zone: &TimeZone) -> Option<(DateTime, &'a str)> {
    let today = now.to_zoned(zone.clone()).date();
    let (day, rest) = match text.split_once([' ', 'T']) {
        Some((day, rest)) => (day, rest.trim_start()),
        None => (text, ""),
    };
    let date = match day {
        "today" => today,
        "yesterday" => today.yesterday().ok()?,
        day => day.parse::<Date>().ok()?,
    };
    // A day alone is not a moment: which end of it was meant changes the answer.
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || b":.".contains(byte));
    let (time, rest) = rest.split_at(digits.count());
    if !time.contains(':') {
        return None;
    }
    Some((date.to_datetime(time.parse::<Time>().ok()?), rest))
}

/// The one moment at which the clocks of a zone showed this.
fn unambiguous(given: &str, civil: DateTime, zone: &TimeZone) -> Result<Timestamp, BadTime> {
    let unknown = |_| BadTime::Unknown(given.into());
    let found = zone.to_ambiguous_timestamp(civil);
    let zone_name = name(zone);
    let spelled = |offset: jiff::tz::Offset| format!("{civil}{offset}");
    match found.offset() {
        AmbiguousOffset::Unambiguous { .. } => found.unambiguous().map_err(unknown),
        AmbiguousOffset::Gap { .. } => {
            let after = found.compatible().map_err(unknown)?;
            let after = after.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
            Err(BadTime::Gap {
                given: given.into(),
                after: format!("{after} {zone_name}"),
                zone: zone_name,
            })
        }
        AmbiguousOffset::Fold { before, after } => Err(BadTime::Fold {
            given: given.into(),
            zone: zone_name,
            either: [spelled(before), spelled(after)],
        }),
    }
}

fn zone_of(named: &str) -> Option<TimeZone> {
    if named == "Z" {
        return Some(TimeZone::UTC);
    }
    if named.starts_with(['+', '-']) {
        // jiff reads an offset as the end of a moment.
        let moment = format!("2000-01-01T00:00:00{named}");
        let at = moment.parse::<Timestamp>().ok()?;
        let midnight = "2000-01-01T00:00:00Z".parse::<Timestamp>().ok()?;
        let seconds = i32::try_from(midnight.duration_since(at).as_secs()).ok()?;
        return jiff::tz::Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    TimeZone::get(named).ok()
}

/// The name of a zone, for people.
pub(crate) fn name(zone: &TimeZone) -> String {
    if zone.is_unknown() {
        return "UTC (no local zone is known)".into();
    }
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.into(),
        (None, Ok(offset)) => format!("the zone {offset}"),
        (None, Err(_)) => "the local zone".into(),
    }
}

/// `2h`, `90m`, `1d12h`: numbers with units, largest first.
pub(crate) fn span(text: &str) -> Option<SignedDuration> {
    const UNITS: [(char, i64); 5] =
        [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut seconds: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        let letter = rest[digits..].chars().next()?;
        let (_, each) = units.find(|(unit, _)| *unit == letter)?;
        seconds = seconds.checked_add(number.checked_mul(*each)?)?;
        rest = rest[digits + 1..].trim_start();
    }
    Some(SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::{BadTime, parse};
    use crate::hint::Hint;

    fn read(given: &str, zone: &str) -> Result<super::Moment, BadTime> {
        let now: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        parse(given, now, &TimeZone::get(zone).unwrap())
    }

    #[test]
    fn a_time_is_read_as_it_was_meant_and_what_was_assumed_is_said() {
        #[rustfmt::skip]
        let table = [
            // given                            zone                moment                  what is said
            ("2026-03-01T03:12:00Z",            "Asia/Tokyo",       "2026-03-01T03:12:00Z", None),
            ("2026-03-01T03:12:00+01:00",       "Asia/Tokyo",       "2026-03-01T02:12:00Z", None),
            ("2026-03-01 03:12:30.5Z",          "UTC",              "2026-03-01T03:12:30.5Z", None),
            ("2026-03-01 03:12 Europe/Paris",   "UTC",              "2026-03-01T02:12:00Z", Some("2026-03-01T02:12:00Z")),
            ("2026-07-01 03:12 Europe/Paris",   "UTC",              "2026-07-01T01:12:00Z", Some("2026-07-01T01:12:00Z")),
            ("2026-03-01 03:12 +05:30",         "UTC",              "2026-02-28T21:42:00Z", Some("2026-02-28T21:42:00Z")),
            ("2026-03-01 03:12 Z",              "Asia/Tokyo",       "2026-03-01T03:12:00Z", Some("2026-03-01T03:12:00Z")),
            ("2026-03-01 03:12",                "Asia/Tokyo",       "2026-02-28T18:12:00Z", Some("2026-02-28T18:12:00Z, as 2026-03-01T03:12:00 in Asia/Tokyo")),
            ("2026-03-01T03:12",                "UTC",              "2026-03-01T03:12:00Z", Some("2026-03-01T03:12:00Z, as 2026-03-01T03:12:00 in UTC")),
            ("yesterday 14:00",                 "America/New_York", "2026-03-01T19:00:00Z", Some("2026-03-01T19:00:00Z, as 2026-03-01T14:00:00 in America/New_York")),
            ("today 09:30",                     "UTC",              "2026-03-02T09:30:00Z", Some("2026-03-02T09:30:00Z, as 2026-03-02T09:30:00 in UTC")),
            ("-2h",                             "UTC",              "2026-03-02T08:00:00Z", Some("2026-03-02T08:00:00Z")),
            ("-90m",                            "UTC",              "2026-03-02T08:30:00Z", Some("2026-03-02T08:30:00Z")),
            ("-1d12h",                          "UTC",              "2026-02-28T22:00:00Z", Some("2026-02-28T22:00:00Z")),
            ("now",                             "UTC",              "2026-03-02T10:00:00Z", None),
        ];
        for (given, zone, at, told) in table {
            let moment = read(given, zone).unwrap_or_else(|error| panic!("{given}: {error}"));
            assert_eq!(moment.at.to_string(), at, "{given}");
            assert_eq!(moment.told.as_deref(), told, "{given}");
        }
    }

    #[test]
    fn what_is_no_single_moment_is_refused() {
        #[rustfmt::skip]
        let table = [
            // given                            the error                           the hint
            ("2026-03-29 02:30 Europe/Paris",   "never was in Europe/Paris",        "2026-03-29 03:30 Europe/Paris"),
            ("2026-10-25 02:30 Europe/Paris",   "was twice in Europe/Paris",        "`2026-10-25T02:30:00+02` or `2026-10-25T02:30:00+01`"),
            ("2026-03-01 03:12 Mars/Base",      "no time zone `Mars/Base`",         "Europe/Paris"),
            ("2026-03-01",                      "is no time",                       "2026-03-01T03:12:00Z"),
            ("2026-13-01 03:12",                "is no time",                       "2026-03-01T03:12:00Z"),
            ("-2x",                             "is no time",                       "-2h"),
            ("-",                               "is no time",                       "-2h"),
            ("-2m1h",                           "is no time",                       "-2h"),
            ("-99999999999999999h",             "is no time",                       "-2h"),
            ("",                                "is no time",                       "-2h"),
            ("soon",                            "is no time",                       "-2h"),
        ];
        for (given, error, hint) in table {
            let bad = read(given, "UTC").unwrap_err();
            assert!(bad.to_string().contains(error), "{given}: {bad}");
            assert!(bad.hint().unwrap().contains(hint), "{given}: {:?}", bad.hint());
        }
        // What the hint offers is understood.
        for offered in ["2026-10-25T02:30:00+02", "2026-10-25T02:30:00+01"] {
            read(offered, "UTC").unwrap();
        }
    }
}
