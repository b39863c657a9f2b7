//! Every failure that a client can be told of: its code, what it means, and what to do
//! about it.
//!
//! A code is for programs, and stands at the end of the text that a model reads. The
//! names are those that other servers of this kind use, where they mean the same.

use std::fmt;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    ValidationError,
    NotFound,
    Unauthorized,
    Forbidden,
    RateLimited,
    PolicyDenied,
    CaseInUse,
    InvestigationClosed,
    JailUnavailable,
    Cancelled,
    UnknownError,
    InternalError,
}

/// One row of [`TABLE`].
#[derive(Debug)]
pub struct Row {
    pub code: Code,
    pub name: &'static str,
    pub description: &'static str,
    /// What to do, where nobody knows better.
    pub action: &'static str,
}

/// In the order of [`Code`].
#[rustfmt::skip]
pub(super) const TABLE: [Row; 12] = [
    row(Code::ValidationError,     "VALIDATION_ERROR",     "an argument makes no sense",                          "Mend the argument and call again."),
    row(Code::NotFound,            "NOT_FOUND",            "what was named is not there",                         "Look up its name, and call again."),
    row(Code::Unauthorized,        "UNAUTHORIZED",         "nobody is known by this token, or there is none",     "Send a good token as `Authorization: Bearer TOKEN`."),
    row(Code::Forbidden,           "FORBIDDEN",            "this may not be done from here",                      "Do it in another way, or leave it to a person."),
    row(Code::RateLimited,         "RATE_LIMITED",         "too much was asked at a time",                        "Wait as long as it says, then call again."),
    row(Code::PolicyDenied,        "POLICY_DENIED",        "a rule of the policy is against it",                  "Do it in another way, or leave it to a person."),
    row(Code::CaseInUse,           "CASE_IN_USE",          "somebody works in the case, or a call is still on",   "Wait until it is free, or open another case."),
    row(Code::InvestigationClosed, "INVESTIGATION_CLOSED", "the case was closed",                                 "Go on in a fork of it, or open another case."),
    row(Code::JailUnavailable,     "JAIL_UNAVAILABLE",     "there is no jail, or it went away",                   "Ask a person to run `casefile doctor`."),
    row(Code::Cancelled,           "CANCELLED",            "nobody waits for this call any more",                 "Call again if it is still wanted."),
    row(Code::UnknownError,        "UNKNOWN_ERROR",        "the host could not do its part",                      "Read the cause; a person may have to mend it."),
    row(Code::InternalError,       "INTERNAL_ERROR",       "a fault of casefile; other calls are not touched",    "Try it once more, then tell a person."),
];

const fn row(
    code: Code,
    name: &'static str,
    description: &'static str,
    action: &'static str,
) -> Row {
    Row { code, name, description, action }
}

impl Code {
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

/// A failure in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub code: Code,
    pub what: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    pub hint: Option<String>,
}

impl Told {
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), causes: Vec::new(), hint: None }
    }

    /// The same, with what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// About one argument.
    pub(super) fn argument(name: &str, why: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Code::ValidationError, format!("`{name}`: {why}")).hint(hint)
    }
}

/// As whoever asked reads it, without the code.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", Part(&self.what))?;
        for cause in &self.causes {
            write!(f, "\ncause: {}", Part(cause))?;
        }
        let hint = self.hint.as_deref().unwrap_or(self.code.row().action);
        write!(f, "\nhint: {hint}")
    }
}

/// One part of it. It may repeat what was given, however long that was, and must not push
/// out those after it.
struct Part<'a>(&'a str);

const PART_CHARS_MAX: usize = 2_000;

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(PART_CHARS_MAX) {
            Some((at, _)) => write!(f, "{}…", &self.0[..at]),
            None => f.write_str(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, TABLE, Told};

    #[test]
    fn every_code_has_its_row_a_name_of_its_own_and_a_way_out() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.code as usize, at, "{}", row.name);
            assert_eq!(row.code.to_string(), row.name);
            let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
            assert!(row.name.chars().all(is_name), "{}", row.name);
            assert!(!row.description.ends_with('.') && row.action.ends_with('.'), "{}", row.name);
            assert_eq!(TABLE.iter().filter(|other| other.name == row.name).count(), 1);
        }
    }

    #[test]
    fn a_failure_is_told_in_three_parts_and_always_has_a_way_out() {
        let mut told = Told::new(Code::NotFound, "there is no case `a`");
        assert_eq!(
            told.to_string(),
            "error: there is no case `a`\nhint: Look up its name, and call again."
        );
        told.causes.push("it never was".into());
        let told = told.hint("Open it.");
        assert_eq!(
            told.to_string(),
            "error: there is no case `a`\ncause: it never was\nhint: Open it."
        );
        let long = Told::new(Code::NotFound, "ä".repeat(5_000)).hint("Write less.").to_string();
        assert!(long.starts_with("error: ää") && long.ends_with("ä…\nhint: Write less."));
        assert_eq!(long.chars().count(), "error: …\nhint: Write less.".chars().count() + 2_000);
    }
}
