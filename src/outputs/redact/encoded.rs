//! How a value looks when a program wrote it as base64, hex, JSON, in a URL or in
//! HTML.
//!
//! Whoever wants to carry a value past this can, by any code of their own; what is
//! met here is what happens without anybody meaning it. Base64 with line breaks in
//! the value is not.

use super::known::{ENCODED_BYTES_MAX, KNOWN_BYTES_MIN};

/// Below this a form of a value would be found where the value is not.
const ENCODED_FROM_BYTES: usize = 8;

/// The value itself, then all else that it may look like.
pub(super) fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let json = json(value, false);
    let mut forms = vec![
        value.to_vec(),
        json.clone(),
        json_again(&json),
        self::json(value, true),
        percent(value, b"-._~", false, false),
        percent(value, b"-._~", true, false),
        percent(value, b"-._~!'()*", false, false),
        percent(value, b"-._*", false, true),
        html(value),
        lines_of_windows(value),
    ];
    if ENCODED_FROM_BYTES <= value.len() {
        forms.push(hex(value, b"0123456789abcdef"));
        forms.push(hex(value, b"0123456789ABCDEF"));
        for before in 0..3 {
            forms.push(base64(value, before, b"+/"));
            forms.push(base64(value, before, b"-_"));
        }
    }
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for form in forms {
        let fits = (KNOWN_BYTES_MIN..=ENCODED_BYTES_MAX).contains(&form.len());
        if fits && !kept.contains(&form) {
            kept.push(form);
        }
    }
    kept
}

/// Inside a JSON string; `careful` as writers do it that have HTML in mind.
fn json(value: &[u8], careful: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            b'\t' => text.extend(b"\\t"),
            b'<' | b'>' | b'&' | b'\'' if careful => text.extend(unicode(*byte)),
            0..0x20 => text.extend(unicode(*byte)),
            _ => text.push(*byte),
        }
    }
    text
}

/// JSON in a string of JSON.
fn json_again(json: &[u8]) -> Vec<u8> {
    self::json(json, false)
}

fn unicode(byte: u8) -> Vec<u8> {
    format!("\\u{byte:04x}").into_bytes()
}

/// In a URL, save for letters, digits and what is `plain`.
fn percent(value: &[u8], plain: &[u8], lower: bool, plus: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in value {
        match byte {
            b' ' if plus => text.push(b'+'),
            _ if byte.is_ascii_alphanumeric() || plain.contains(byte) => text.push(*byte),
            _ if lower => text.extend(format!("%{byte:02x}").into_bytes()),
            _ => text.extend(format!("%{byte:02X}").into_bytes()),
        }
    }
    text
}

fn html(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in value {
        match byte {
            b'&' => text.extend(b"&amp;"),
            b'<' => text.extend(b"&lt;"),
            b'>' => text.extend(b"&gt;"),
            b'"' => text.extend(b"&quot;"),
            b'\'' => text.extend(b"&#39;"),
            _ => text.push(*byte),
        }
    }
    text
}

fn lines_of_windows(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for byte in value {
        if *byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(*byte);
    }
    text
}

fn hex(value: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let both = |byte: &u8| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]];
    value.iter().flat_map(both).collect()
}

/// The characters that are the value's alone when so many bytes of a group of three
/// come before it. At most six bits at each end are shared with what is around.
fn base64(value: &[u8], before: usize, last_two: &[u8; 2]) -> Vec<u8> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |sextet: u8| {
        let sextet = usize::from(sextet);
        LETTERS.get(sextet).or_else(|| last_two.get(sextet - LETTERS.len())).copied()
    };
    let bit = |at: usize| {
        let at = at.checked_sub(8 * before)?;
        value.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1)
    };
    let (first, end) = ((8 * before).div_ceil(6), 8 * (before + value.len()) / 6);
    (first..end)
        .filter_map(|place| {
            let sextet = (0..6).try_fold(0, |sextet, at| Some(sextet << 1 | bit(6 * place + at)?));
            sextet.and_then(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::forms;

    /// What other programs make of `p&ss w"rd\n1>` and the like.
    #[test]
    fn a_value_is_known_in_the_forms_that_programs_give_it() {
        #[rustfmt::skip]
        let table: &[(&[u8], &str)] = &[
            // value               a form of it
            (b"p&ss w\"rd>1",      "p&ss w\"rd>1"),
            (b"p&ss w\"rd>1",      r#"p&ss w\"rd>1"#),
            (b"p&ss w\"rd>1",      r#"p&ss w\\\"rd>1"#),
            (b"p&ss w\"rd>1",      r#"p\u0026ss w\"rd\u003e1"#),
            (b"p&ss w\"rd>1",      "p%26ss%20w%22rd%3E1"),
            (b"p&ss w\"rd>1",      "p%26ss+w%22rd%3E1"),
            (b"p&ss w\"rd>1",      "p&amp;ss w&quot;rd&gt;1"),
            (b"one\ntwo\n3",       r"one\ntwo\n3"),
            (b"one\ntwo\n3",       "one\r\ntwo\r\n3"),
            (b"correcthorse",      "Y29ycmVjdGhvcnNl"),
            (b"correcthorse",      "NvcnJlY3Rob3JzZ"),
            (b"correcthorse",      "jb3JyZWN0aG9yc2"),
            (b"correcthorse",      "636f7272656374686f727365"),
            (b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7", "__79_Pv6-fj3"),
        ];
        for (value, form) in table {
            let forms = forms(value);
            let found = forms.iter().any(|found| found == form.as_bytes());
            let forms: Vec<_> = forms.iter().map(|form| String::from_utf8_lossy(form)).collect();
            assert!(found, "{form} is not in {forms:#?}");
        }
        assert_eq!(forms(b"abcd"), [b"abcd"], "a short value has no other forms");
    }
}
