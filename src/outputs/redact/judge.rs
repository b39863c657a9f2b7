//! Whether what was assigned to a name is a secret, or only looks assigned.
//!
//! A name alone says little: most lines of code that say `token =` hold no token. So
//! a value must look random, as what machines make does, or, for passwords, like
//! what people make up. Only the beginning of a value is looked at, so that no
//! input is slow.

/// So much of a value is looked at.
pub(super) const JUDGED_BYTES_MAX: usize = 128;

const RANDOM_BYTES_MIN: usize = 12;
const PASSWORD_BYTES_MIN: usize = 6;

/// Whether a machine made this up.
pub(super) fn is_random(value: &[u8]) -> bool {
    let value = judged(value);
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    RANDOM_BYTES_MIN <= value.len()
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !stands_for_a_value(value)
        && !value.windows(3).any(|three| three == b"://")
        && (pieces(value).any(is_jumbled) || is_spread(value) || is_uuid(value))
}

/// Whether this can be a token where only a token can stand.
pub(super) fn is_token(value: &[u8]) -> bool {
    const TOKEN_BYTES_MIN: usize = 16;
    let value = judged(value);
    is_random(value)
        || TOKEN_BYTES_MIN <= value.len()
            && value.iter().any(u8::is_ascii_digit)
            && value.iter().any(u8::is_ascii_alphabetic)
            && !stands_for_a_value(value)
}

/// Whether a person may have made this up as a password.
pub(super) fn is_password(value: &[u8], quoted: bool) -> bool {
    let value = judged(value);
    let odd =
        |byte: &u8| byte.is_ascii_digit() || b"!@#$%^&*+=?~".contains(byte) || !byte.is_ascii();
    let path =
        value.iter().filter(|byte| **byte == b'/').count() >= 2 && value.first() == Some(&b'/');
    let lower = value.to_ascii_lowercase();
    let says_so = ["passw", "pwd", "secret_", "://"];
    let says_so =
        says_so.iter().any(|word| lower.windows(word.len()).any(|at| at == word.as_bytes()));
    // `self.data1.value` in code; in quotes it would be a value.
    let is_name = !quoted
        && value.iter().any(|byte| matches!(byte, b'.' | b'_'))
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        && !pieces(value).any(is_jumbled);
    PASSWORD_BYTES_MIN <= value.len()
        && value.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
        && value.iter().any(odd)
        && !stands_for_a_value(value)
        && !(path || says_so || is_name)
}

/// Whether this is where a value goes, and none: `${TOKEN}`, `<token>`, `****`.
pub(super) fn stands_for_a_value(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or(b' ');
    let variable = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let of_shell = first == b'$'
        && (matches!(value.get(1), Some(b'{' | b'('))
            || 1 < value.len()
                && value[1].is_ascii_alphabetic()
                && value[1..].iter().all(variable));
    let in_brackets = matches!((first, value.last()), (b'{', Some(b'}')) | (b'<', Some(b'>')))
        || value.starts_with(b"{{")
        || value.starts_with(b"%(")
        || value == b"%s";
    let masked = value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_'));
    of_shell || in_brackets || masked
}

fn judged(value: &[u8]) -> &[u8] {
    value.get(..JUDGED_BYTES_MAX).unwrap_or(value)
}

/// What stands between the signs that people join words with.
fn pieces(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| matches!(byte, b'_' | b'-' | b'.' | b'/' | b':'))
        .filter(|piece| !piece.is_empty())
}

/// Whether lower case, upper case and digits take turns faster than in words.
fn is_jumbled(piece: &[u8]) -> bool {
    const JUMBLED_BYTES_MIN: usize = 6;
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let turns = piece.windows(2).filter(|two| {
        let (one, other) = (kind(two[0]), kind(two[1]));
        // A capital begins a word.
        one != other && (one, other) != (1, 0)
    });
    let digits = piece.iter().any(u8::is_ascii_digit);
    JUMBLED_BYTES_MIN <= piece.len() && digits && piece.len() <= 5 * turns.count().saturating_sub(1)
}

fn is_uuid(value: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_hexdigit();
    let mut groups = value.split(|byte| *byte == b'-');
    [8, 4, 4, 4, 12].iter().all(|length| {
        groups.next().is_some_and(|group| group.len() == *length && group.iter().all(digit))
    }) && groups.next().is_none()
}

/// Whether so many characters are used that no words can be behind it.
fn is_spread(value: &[u8]) -> bool {
    const SPREAD_BYTES_MIN: usize = 28;
    let base64 = |byte: &u8| super::class::BASE64[usize::from(*byte)];
    let mut seen = [false; 256];
    value.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    SPREAD_BYTES_MIN <= value.len()
        && value.iter().all(base64)
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && 20 + value.len() / 16 <= different
}

#[cfg(test)]
mod tests {
    use super::{is_password, is_random, stands_for_a_value};

    #[test]
    fn what_machines_make_is_told_from_names() {
        for random in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "550e8400-e29b-41d4-a716-446655440000",
            "k3JfLx9Qw2ZpT7vB",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY",
            "v2.local.a8Fk2Lq9ZxP0",
        ] {
            assert!(is_random(random.as_bytes()), "{random}");
        }
        for name in [
            "my_secret_key_v2_prod",
            "userAccessTokenV2",
            "TOKEN_TYPE_2_BEARER",
            "com.example.auth.OAuth2TokenProvider",
            "https://example.com/a1b2c3d4e5f6",
            "arn_of_secret",
            "/run/secrets/db1",
            "20240102T030405Z",
            "12345678901234",
            "a1b2c3",
        ] {
            assert!(!is_random(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn what_people_make_up_is_told_from_code() {
        for password in ["hunter2", "correct!horse", "S3cr3t!", "пароль"] {
            assert!(is_password(password.as_bytes(), false), "{password}");
        }
        for other in
            ["String", "pw2", "user.password1", "self.data1.value", "123456", "${DB_PASS1}"]
        {
            assert!(!is_password(other.as_bytes(), false), "{other}");
        }
    }

    #[test]
    fn a_place_for_a_value_is_none() {
        for place in ["$TOKEN", "${TOKEN:-x}", "$(cat x)", "{{ .token }}", "<token>", "***", "xxxx"]
        {
            assert!(stands_for_a_value(place.as_bytes()), "{place}");
        }
        for value in ["hunter2", "$ecret!1", "p$ss", "<3hearts"] {
            assert!(!stands_for_a_value(value.as_bytes()), "{value}");
        }
    }
}
