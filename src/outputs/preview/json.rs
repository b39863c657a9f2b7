//! JSON: which shape it has, as a document or as one value on each line, and what a log
//! would show of the latter.

use std::io;

use super::json_reader::Json;
use super::log::{Levels, Span};
use super::page::thousands;
use super::reading::{each_block, each_line};
use super::shapes::Shapes;
use super::{About, Sketch, Source};

/// So many first lines are tried.
const LINES_TRIED: usize = 20;

/// Whether this begins as one JSON value on each line.
pub(in crate::outputs) fn is_lines(head: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').take(LINES_TRIED).collect();
    if lines.len() < 2 {
        return false;
    }
    // The last may be cut off.
    lines.pop();
    let lines: Vec<_> = lines.iter().filter(|line| !line.trim_ascii().is_empty()).collect();
    let mut json = Json::default();
    // One line alone can be a whole document.
    (2 <= lines.len() || head.trim_ascii_end().contains(&b'\n'))
        && lines
            .iter()
            .all(|line| matches!(line.trim_ascii().first(), Some(b'{' | b'[')) && json.record(line))
}

/// Whether this begins as a JSON document.
pub(in crate::outputs) fn is_json(head: &[u8]) -> bool {
    let mut json = Json::default();
    json.feed(head);
    json.fault.is_none() && (json.is_done() || 0 < json.tokens)
}

pub(super) fn sketch(
    source: &mut dyn Source,
    size: u64,
    about: &About<'_>,
    room: usize,
) -> io::Result<Sketch> {
    let mut json = Json::default();
    let part = each_block(source, size, |block| {
        json.feed(block);
        json.fault.is_none()
    })?;
    if part.whole {
        // A number may end with the document.
        json.feed(b"\n");
    }
    let mut lines = Vec::new();
    let cut = json.fault.is_none() && !part.whole;
    if let Some(at) = json.fault {
        lines.push(format!("[it is JSON only up to byte {}]", thousands(at)));
    } else if part.whole && !json.is_done() {
        lines.push("[it ends in the middle of a value]".into());
    }
    lines.extend(part.note().filter(|_| cut));
    json.close();
    lines.extend(json.shape.lines(room.saturating_sub(80), part.whole));
    let list = json.shape.longest_list().filter(|(_, length)| 1 < *length);
    let next = list.map(|(way, length)| {
        let first = if way == "." { ".[0]".into() } else { format!("{way}[0]") };
        format!("shell `jq '{first}' {}`; {way} has {} items", about.path, thousands(length))
    });
    let next = next.unwrap_or_else(|| format!("shell `jq . {} | head -50`", about.path));
    Ok(Sketch { lines, next: Some(next) })
}

/// One value a line, as programs log.
pub(super) fn sketch_lines(
    source: &mut dyn Source,
    size: u64,
    about: &About<'_>,
    room: usize,
) -> io::Result<Sketch> {
    let mut json = Json::default();
    let (mut span, mut levels, mut messages) =
        (Span::default(), Levels::default(), Shapes::default());
    let (mut records, mut bad, mut first_bad) = (0_u64, 0_u64, 0);
    let part = each_line(source, size, |number, line| {
        if line.trim_ascii().is_empty() {
            return;
        }
        if !json.record(line) {
            bad += 1;
            if bad == 1 {
                first_bad = number;
            }
            return;
        }
        records += 1;
        if let Some(time) = &json.seen.time {
            span.see(time);
        }
        let level = json.seen.level();
        if let Some(level) = level {
            levels.see(level, number);
        }
        if let Some(message) = &json.seen.message {
            messages.add(message, level, number);
        }
    })?;
    let mut lines = vec![format!("{} records", thousands(records))];
    if 0 < bad {
        let (bad, first) = (thousands(bad), thousands(first_bad));
        lines[0] += &format!("; no JSON: {bad}, the first in line {first}");
    }
    lines.extend(span.text());
    lines.extend(levels.line());
    lines.extend(part.note());
    let messages = messages.lines();
    // Where there are messages, both have a share.
    let room = if messages.is_empty() { room } else { room / 2 };
    lines.extend(json.shape.lines(room.saturating_sub(120), true));
    lines.extend(messages);
    let next = levels.next(about.path);
    let next =
        next.unwrap_or_else(|| format!("shell `head -1 {} | jq .`; or grep in it", about.path));
    Ok(Sketch { lines, next: Some(next) })
}

#[cfg(test)]
mod tests {
    use super::{is_json, is_lines};
    use crate::outputs::preview::tests::shown;

    #[test]
    fn json_is_told_from_what_begins_like_it() {
        #[rustfmt::skip]
        let table = [
            // text                                     a document   one a line
            ("{\"a\": [1, 2.5e3, null, true, \"x\\\"\"]}", true,        false),
            ("{\"a\": 1}\n{\"a\": 2}\n",                  true,        true),
            ("{\n  \"a\": 1\n}\n{\n  \"a\": 2\n}\n",      true,        false),
            ("[1, 2, 3",                               true,        false),
            ("[2026-03-01 12:00:00] started",          false,       false),
            ("[INFO] started",                         false,       false),
            ("[1/5] Building",                         false,       false),
            ("{ int x; }",                             false,       false),
            ("[1, 2}",                                 false,       false),
            ("{\"a\" 1}",                              false,       false),
            ("{\"a\": 1,, \"b\": 2}",                  false,       false),
        ];
        for (text, document, lines) in table {
            assert_eq!(
                (is_json(text.as_bytes()), is_lines(text.as_bytes())),
                (document, lines),
                "{text}"
            );
        }
    }

    #[test]
    fn a_document_shows_its_shape() {
        let mut items = Vec::new();
        for n in 0..500 {
            let tags = vec!["prod"; n % 4];
            let mut item = serde_json::json!({
                "id": format!("a-{n}"), "value": n as f64 / 2.0, "tags": tags,
                "owner": {"team": "pay", "mail": "pay@shop.example"}, "closed": null,
            });
            if n % 5 == 0 {
                item["note"] = "seen \u{1b}[31mred".into();
            }
            items.push(item);
        }
        let by_id: serde_json::Map<_, _> =
            (0..300).map(|n| (format!("id-{n}"), serde_json::json!({"ok": n % 2 == 0}))).collect();
        let document = serde_json::json!({"total": 500, "alerts": items, "by id": by_id});
        insta::assert_snapshot!(shown(format!("{document:#}").as_bytes(), 2_000), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON · 119,113 bytes · 7,132 lines · sha256 e3b0c44298fc1c14…
        object, 3 keys
          alerts: list of 500 × object, 6 keys
            closed: null
            id: string, as "a-0"
            note (100 of 500): string, as "seen \u001b[31mred"
            owner: object, 2 keys
              mail: string, as "pay@shop.example"
              team: string, as "pay"
            tags: list of 0-3 × string, as "prod"
            value: number, as 0.0
          by id: object, over 200 keys
            each, such as id-0: object, 1 key
              ok: bool, as true
          total: number, as 500
        [lines 1-36 of 7,132]
        {
          "alerts": [
            {
              "closed": null,
              "id": "a-0",
              "note": "seen \u001b[31mred",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [],
              "value": 0.0
            },
            {
              "closed": null,
              "id": "a-1",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [
                "prod"
              ],
              "value": 0.5
            },
            {
              "closed": null,
              "id": "a-2",
              "owner": {
                "mail": "pay@shop.example",
                "team": "pay"
              },
              "tags": [
                "prod",
                "prod"
              ],
        [lines 7,084-7,132]
            },
            "id-86": {
              "ok": true
            },
            "id-87": {
              "ok": false
            },
            "id-88": {
              "ok": true
            },
            "id-89": {
              "ok": false
            },
            "id-9": {
              "ok": false
            },
            "id-90": {
              "ok": true
            },
            "id-91": {
              "ok": false
            },
            "id-92": {
              "ok": true
            },
            "id-93": {
              "ok": false
            },
            "id-94": {
              "ok": true
            },
            "id-95": {
              "ok": false
            },
            "id-96": {
              "ok": true
            },
            "id-97": {
              "ok": false
            },
            "id-98": {
              "ok": true
            },
            "id-99": {
              "ok": false
            }
          },
          "total": 500
        }
        next: shell `jq '.alerts[0]' /case/outputs/0007-shell.txt`; .alerts has 500 items
        "#);
        // On one line, and cut off.
        let text = document.to_string();
        insta::assert_snapshot!(shown(&text.as_bytes()[..20_000], 900), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON · 20,000 bytes · 1 line · sha256 e3b0c44298fc1c14…
        [it ends in the middle of a value]
        object, 1 key
          alerts: list of 173 × object, 6 keys
            closed: null
            id: string, as "a-0"
            note (35 of 173): string, as "seen \u001b[31mred"
            owner: object, 2 keys
              mail: string, as "pay@shop.example"
              team: string, as "pay"
            tags: list of 0-3 × string, as "prod"
            value (172 of 173): number, as 0.0
        [line 1 of 1]
        {"alerts":[{"closed":null,"id":"a-0","note":"seen \u001b[31mred",…[20,000 bytes]…":"pay"},"tags":[],"va
        next: shell `jq '.alerts[0]' /case/outputs/0007-shell.txt`; .alerts has 173 items
        "#);
    }

    #[test]
    fn records_show_their_keys_and_what_a_log_would() {
        let mut text = String::new();
        for n in 0..1_000 {
            let level = if n % 250 == 3 { "error" } else { "info" };
            let trace = if n % 10 == 0 { ",\"trace\":\"7f3a9c\"" } else { "" };
            text += &format!(
                "{{\"time\":\"2026-03-01T12:00:00.{n:03}Z\",\"level\":\"{level}\",\"msg\":\"order {n} paid\",\"ms\":{n}{trace}}}\n"
            );
        }
        text += "this is no JSON\n";
        insta::assert_snapshot!(shown(text.as_bytes(), 1_500), @r#"
        exit 1 after 2.1 s · /case/outputs/0007-shell.txt · JSON lines · 84,500 bytes · 1,001 lines · sha256 e3b0c44298fc1c14…
        1,000 records; no JSON: 1, the first in line 1,001
        from 2026-03-01T12:00:00.000Z to 2026-03-01T12:00:00.999Z
        ERROR 4 (first in line 4) · INFO 996
        1,000 × object, 5 keys
          time: string, as "2026-03-01T12:00:00.000Z"
          level: string, as "info"
          msg: string, as "order 0 paid"
          ms: number, as 0
          trace (100 of 1,000): string, as "7f3a9c"
        shapes of its messages:
          996 × INFO order <n> paid
          4 × ERROR order <n> paid (first in line 4)
        [lines 1-4 of 1,001]
        {"time":"2026-03-01T12:00:00.000Z","level":"info","msg":"order 0 paid","ms":0,"trace":"7f3a9c"}
        {"time":"2026-03-01T12:00:00.001Z","level":"info","msg":"order 1 paid","ms":1}
        {"time":"2026-03-01T12:00:00.002Z","level":"info","msg":"order 2 paid","ms":2}
        {"time":"2026-03-01T12:00:00.003Z","level":"error","msg":"order 3 paid","ms":3}
        [lines 997-1,001]
        {"time":"2026-03-01T12:00:00.996Z","level":"info","msg":"order 996 paid","ms":996}
        {"time":"2026-03-01T12:00:00.997Z","level":"info","msg":"order 997 paid","ms":997}
        {"time":"2026-03-01T12:00:00.998Z","level":"info","msg":"order 998 paid","ms":998}
        {"time":"2026-03-01T12:00:00.999Z","level":"info","msg":"order 999 paid","ms":999}
        this is no JSON
        next: read_file /case/outputs/0007-shell.txt from=1, the first error is in line 4; or grep in it
        "#);
    }
}
