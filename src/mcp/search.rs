//! What `search_tools` finds: the tools behind the doors, with what each takes and
//! whether it can be called now.

use std::fmt::Write as _;

use super::catalogue::{Argument, Definition, Does, Kind, LONG_TAIL, ReadsOnly};

/// What decides whether a tool can be called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) is_bound: bool,
    /// How many cases are in use.
    pub(super) in_use: usize,
    /// Whether whoever asks may do more than look.
    pub(super) may_write: bool,
}

/// The tools that fit some words, the best first; all of them, where there are no words.
pub(super) fn found(query: &str, now: &Now) -> String {
    let words: Vec<String> = query
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut fit: Vec<_> = LONG_TAIL
        .iter()
        .map(|(category, tool)| (fits(&words, category, tool), category, tool))
        .filter(|(fits, ..)| words.is_empty() || 0 < *fits)
        .collect();
    // The order of the catalogue, where two fit as well.
    fit.sort_by_key(|(fits, ..)| std::cmp::Reverse(*fits));
    let mut text = String::new();
    if fit.is_empty() {
        let names: Vec<_> = LONG_TAIL.iter().map(|(_, tool)| tool.name).collect();
        let _ = writeln!(text, "no tool fits these words; there are {}", names.join(", "));
    }
    for (_, category, tool) in fit {
        describe(&mut text, category, tool, now);
    }
    text
}

fn fits(words: &[String], category: &str, tool: &Definition) -> usize {
    let description = tool.description.to_lowercase();
    let of_word = |word: &String| {
        let worth = |text: &str, points| if text.contains(word.as_str()) { points } else { 0 };
        worth(tool.name, 4) + worth(category, 2) + worth(&description, 1)
    };
    words.iter().map(of_word).sum()
}

fn describe(text: &mut String, category: &str, tool: &Definition, now: &Now) {
    let _ = writeln!(text, "{} ({category})\n  {}", tool.name, tool.description);
    let case = Argument {
        name: "case",
        kind: Kind::Text,
        is_needed: !now.is_bound,
        about: "the id of a case",
    };
    let case = tool.takes_case.then_some(&case);
    for argument in case.into_iter().chain(tool.takes) {
        let kind = match argument.kind {
            Kind::Text => "string".into(),
            Kind::Number => "integer".into(),
            Kind::Flag => "boolean".into(),
            Kind::Texts => "list of strings".into(),
            Kind::Choice(words) => words.join(" | "),
            Kind::Object => "object".into(),
        };
        let needed = if argument.is_needed { ", needed" } else { "" };
        let _ = writeln!(text, "  - {}: {kind}{needed}; {}", argument.name, argument.about);
    }
    let door = match tool.reads_only {
        ReadsOnly::Yes => "call_read_only_tool or call_tool".into(),
        ReadsOnly::No => "call_tool".into(),
        ReadsOnly::When(argument, words) => {
            let words = words.join(" or ");
            format!("call_read_only_tool with {argument} {words}, else call_tool")
        }
    };
    let _ = writeln!(text, "  through: {door}");
    let callable = match hindrance(tool, now) {
        None => "yes".into(),
        Some(why) => format!("no, {why}"),
    };
    let _ = writeln!(text, "  callable_now: {callable}");
}

/// Why a tool cannot be called now.
fn hindrance(tool: &Definition, now: &Now) -> Option<&'static str> {
    if !now.may_write && matches!(tool.reads_only, ReadsOnly::No) {
        return Some("this token lacks the scope `cases:write`");
    }
    if tool.does == Does::Fork && now.is_bound {
        return Some("this server is bound to one case");
    }
    if tool.name == "background" && now.in_use == 0 {
        return Some("no case is in use, so no command runs in the background");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Now, found};

    const NOW: Now = Now { is_bound: false, in_use: 0, may_write: true };

    fn names(query: &str) -> Vec<String> {
        let text = found(query, &NOW);
        let heads = text.lines().filter(|line| !line.starts_with(' ') && line.contains(" ("));
        heads.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn words_find_what_they_name_first() {
        let all = ["case_status", "journal", "fork_case", "case_diff", "background", "policy_why"];
        assert_eq!(names(""), all);
        assert_eq!(names("why policy"), ["policy_why", "case_status"]);
        assert_eq!(names("Fork")[0], "fork_case");
        assert_eq!(names("kill a running command, handle")[0], "background");
        assert_eq!(names("zebra"), Vec::<String>::new());
        let none = found("zebra", &NOW);
        assert!(none.starts_with("no tool fits these words; there are case_status, "), "{none}");
    }

    #[test]
    fn what_cannot_be_called_now_says_why() {
        #[rustfmt::skip]
        let table = [
            ("fork_case",  NOW,                                 "  callable_now: yes\n"),
            ("fork_case",  Now { is_bound: true, ..NOW },       "  callable_now: no, this server is bound to one case\n"),
            ("background", NOW,                                 "  callable_now: no, no case is in use, so no command runs in the background\n"),
            ("background", Now { in_use: 1, ..NOW },            "  callable_now: yes\n"),
            ("fork_case",  Now { may_write: false, ..NOW },     "  callable_now: no, this token lacks the scope `cases:write`\n"),
            ("journal",    Now { may_write: false, ..NOW },     "  callable_now: yes\n"),
        ];
        for (query, now, want) in table {
            let text = found(query, &now);
            let (first, _) = text.split_once("callable_now").unwrap();
            assert!(first.starts_with(query), "{text}");
            assert!(text.contains(want), "{query} {now:?}: {text}");
        }
    }
}
