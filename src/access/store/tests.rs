//! Tokens that come and go, and who is let in by them meanwhile.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::{Store, StoreError, Wanted};
use crate::access::{Access, CaseGlob, Refused, Secret, State, TokenName};
use crate::case::CaseId;
use crate::disk::Holder;

const NOW: &str = "2026-03-01T00:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn me() -> Holder {
    Holder { pid: std::process::id(), command: "test".into(), since: at(NOW) }
}

fn wanted(name: &str) -> Wanted {
    let expires = Some(at("2026-03-02T00:00:00Z"));
    let name = TokenName::parse(name).unwrap();
    Wanted { name, may_write: true, cases: Vec::new(), expires }
}

fn made(home: &Path, name: &str, byte: u8) -> Secret {
    Store::new(home).create(wanted(name), [byte; 32], &me()).unwrap()
}

fn revoke(home: &Path, name: &str) -> bool {
    Store::new(home).revoke(&TokenName::parse(name).unwrap(), &me()).unwrap()
}

fn admitted(access: &Access, secret: &Secret) -> Result<String, String> {
    let admitted = access.admit(secret.reveal(), at(NOW));
    admitted.map(|who| who.key().to_owned()).map_err(|refused| refused.to_string())
}

#[test]
fn a_token_lets_its_bearer_in_until_it_ends_and_each_refusal_has_its_words() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::new(dir.path());
    let nobody = format!("casefile_{}", "0".repeat(64));
    for bearer in ["", "x", "casefile_", nobody.as_str()] {
        let refused = access.admit(bearer, at(NOW)).unwrap_err();
        assert_eq!(refused.to_string(), "the token is not known here", "{bearer}");
    }
    let secret = made(dir.path(), "ci", 1);
    assert_eq!(admitted(&access, &secret), Ok("token:ci".into()));
    let late = access.admit(secret.reveal(), at("2026-03-02T00:00:00Z")).unwrap_err();
    assert_eq!(late.to_string(), "the token has expired");
    assert!(revoke(dir.path(), "ci") && !revoke(dir.path(), "ci"));
    assert_eq!(admitted(&access, &secret), Err("the token was revoked".into()));
    // Its name can be had again, and its secret is forgotten.
    let again = made(dir.path(), "ci", 2);
    assert_eq!(admitted(&access, &again), Ok("token:ci".into()));
    assert_eq!(admitted(&access, &secret), Err("the token is not known here".into()));
    let twice = Store::new(dir.path()).create(wanted("ci"), [3; 32], &me()).unwrap_err();
    assert_eq!(twice.to_string(), "there is a token `ci` already");
}

#[test]
fn a_revocation_counts_at_once_whatever_the_clock_of_files_says() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::new(dir.path());
    // Many a version within one tick of the clock, all of the same size.
    for turn in 0..50 {
        let one = made(dir.path(), "a", 2 * turn);
        assert!(admitted(&access, &one).is_ok(), "turn {turn}");
        revoke(dir.path(), "a");
        let other = made(dir.path(), "a", 2 * turn + 1);
        assert!(admitted(&access, &one).is_err(), "turn {turn}");
        assert!(admitted(&access, &other).is_ok(), "turn {turn}");
        revoke(dir.path(), "a");
        assert!(admitted(&access, &other).is_err(), "turn {turn}");
    }
    // What was read is not read again, and another file of the same time and size is.
    let record = dir.path().join("access/tokens.json");
    let secret = made(dir.path(), "b", 200);
    assert!(admitted(&access, &secret).is_ok());
    let first = access.tokens.now().unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &access.tokens.now().unwrap()));
    let old = fs::metadata(&record).unwrap();
    let text = fs::read_to_string(&record).unwrap().replace(": true", ":false");
    assert_eq!(text.len() as u64, old.len());
    let beside = dir.path().join("beside");
    fs::write(&beside, text).unwrap();
    let file = fs::File::options().append(true).open(&beside).unwrap();
    file.set_modified(old.modified().unwrap()).unwrap();
    fs::rename(&beside, &record).unwrap();
    let who = access.admit(secret.reveal(), at(NOW)).unwrap();
    assert!(!who.may_write(), "the old version was believed");
}

#[test]
fn where_the_record_is_broken_nobody_gets_in_until_it_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::new(dir.path());
    let secret = made(dir.path(), "ci", 1);
    assert!(admitted(&access, &secret).is_ok());
    let record = dir.path().join("access/tokens.json");
    let whole = fs::read(&record).unwrap();
    for bytes in [&b""[..], b"{}", &whole[..whole.len() - 3], &vec![b' '; 5 << 20]] {
        fs::write(&record, bytes).unwrap();
        let refused = access.admit(secret.reveal(), at(NOW)).unwrap_err();
        assert!(matches!(refused, Refused::Unavailable(_)), "{refused:?}");
        // What a bearer is told names no place.
        assert_eq!(refused.to_string(), "tokens cannot be checked at the moment");
        let error = Store::new(dir.path()).create(wanted("me"), [2; 32], &me()).unwrap_err();
        assert!(matches!(error, StoreError::Broken { .. }), "{error:?}");
        assert_eq!(fs::read(&record).unwrap(), bytes, "it was written over");
    }
    fs::write(&record, &whole).unwrap();
    assert!(admitted(&access, &secret).is_ok());
    fs::remove_file(&record).unwrap();
    assert!(admitted(&access, &secret).is_err());
}

#[test]
fn a_principal_sees_its_own_and_what_its_token_names() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::new(dir.path());
    let pay = Wanted { cases: vec![CaseGlob::parse("pay-*").unwrap()], ..wanted("pay") };
    let pay = Store::new(dir.path()).create(pay, [1; 32], &me()).unwrap();
    let ci = made(dir.path(), "ci", 2);
    let admit = |secret: &Secret| access.admit(secret.reveal(), at(NOW)).unwrap();
    let (pay, ci) = (admit(&pay), admit(&ci));
    let id = |id: &str| CaseId::parse(id).unwrap();
    #[rustfmt::skip]
    let table = [
        // case          whose               pay    ci
        ("pay-abcdef",   None,               true,  false),
        ("pay-abcdef",   Some("token:ci"),   true,  true),
        ("web-abcdef",   Some("token:ci"),   false, true),
        ("web-abcdef",   Some("token:pay"),  true,  false),
        ("web-abcdef",   Some("token:"),     false, false),
        ("web-abcdef",   None,               false, false),
    ];
    for (case, owner, by_pay, by_ci) in table {
        assert_eq!(pay.sees(&id(case), owner), by_pay, "{case} {owner:?}");
        assert_eq!(ci.sees(&id(case), owner), by_ci, "{case} {owner:?}");
    }
}

#[test]
fn what_changes_tokens_at_once_loses_nothing_and_no_use_is_in_its_way() {
    let dir = tempfile::tempdir().unwrap();
    let access = Access::new(dir.path());
    let server = made(dir.path(), "server", 255);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let home = dir.path();
            scope.spawn(move || {
                for turn in 0..8 {
                    let name = format!("t{thread}-{turn}");
                    made(home, &name, thread * 8 + turn);
                    if turn % 2 == 0 {
                        revoke(home, &name);
                    }
                }
            });
        }
        scope.spawn(|| {
            for minute in 0..200 {
                let now = at("2026-03-01T00:00:00Z") + jiff::SignedDuration::from_mins(minute);
                access.admit(server.reveal(), now).unwrap();
            }
        });
    });
    let all = Store::new(dir.path()).list(at(NOW)).unwrap();
    assert_eq!(all.len(), 33);
    for token in &all[1..] {
        let even = token.name.as_str().ends_with(['0', '2', '4', '6']);
        let want = if even { State::Revoked } else { State::Good };
        assert_eq!((token.state, token.used), (want, None), "{}", token.name);
    }
    assert_eq!(all[0].used, Some(at("2026-03-01T03:19:00Z")));
}
