//! Files of deploys as other programs write them, good and bad.

use super::{DeployError, Deploys, LiveError};

fn read(name: &str, text: &str) -> Result<Deploys, DeployError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::write(&file, text).unwrap();
    Deploys::read(&file)
}

#[test]
fn every_spelling_of_a_record_says_the_same() {
    #[rustfmt::skip]
    let table = [
        ("d.csv",   "time,environment,service,commit\n2026-03-01T03:12:00Z,prod,web,abc1234\n"),
        ("d.csv",   "\u{feff}Deployed At,ENV,App,SHA,who\r\n2026-03-01T04:12:00+01:00, prod ,web,abc1234,\"a, b\"\r\n"),
        ("d.csv",   "commit,time,service,environment\nabc1234,1772334720,web,prod"),
        ("d.log",   "commit,time,service,environment\nabc1234,1772334720000,web,prod"),
        ("d.jsonl", "{\"time\":\"2026-03-01T03:12:00Z\",\"environment\":\"prod\",\"service\":\"web\",\"commit\":\"abc1234\"}\n\n"),
        ("d.log",   " {\"timestamp\":1772334720,\"stage\":\"prod\",\"component\":\"web\",\"git-sha\":\"abc1234\",\"n\":[1]}"),
    ];
    for (name, text) in table {
        let deploys = read(name, text).unwrap();
        let [only] = deploys.all() else { panic!("{text}: {deploys:?}") };
        let said = (only.time.to_string(), &*only.commit);
        assert_eq!(said, ("2026-03-01T03:12:00Z".into(), "abc1234"), "{text}");
        let place = (only.environment.as_deref(), only.service.as_deref());
        assert_eq!(place, (Some("prod"), Some("web")), "{text}");
    }
    for (name, text) in [("d.csv", ""), ("d.jsonl", "\n"), ("d.csv", "time,commit\n")] {
        assert_eq!(read(name, text).unwrap().all(), [], "{text:?}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    #[rustfmt::skip]
    let table = [
        ("d.csv",   "time,commit\n2026-03-01T03:12:00Z,abc\n2026-03-01 03:12,abc\n", "3: the time `2026-03-01 03:12` has no zone"),
        ("d.csv",   "time,commit\nsoon,abc\n",                          "2: `soon` is no time"),
        ("d.csv",   "time,commit\n12,abc\n",                            "2: `12` is no time"),
        ("d.csv",   "time,commit\n2026-03-01T03:12:00Z\n",              "2: it has 1 fields, and the header 2"),
        ("d.csv",   "time,commit\n2026-03-01T03:12:00Z,\n",             "2: it has no `commit`"),
        ("d.csv",   "when,what\n1,2\n",                                 "1: the header names no column `time`"),
        ("d.csv",   "time,commit\n2026-03-01T03:12:00Z,:/fix\n",        "2: `:/fix` is no commit"),
        ("d.csv",   "time,commit\n2026-03-01T03:12:00Z,--all\n",        "2: `--all` is no commit"),
        ("d.jsonl", "{\"commit\":\"abc\"}\n",                           "1: it has no `time`"),
        ("d.jsonl", "{\"commit\":[1],\"time\":1772334720}\n",           "1: `commit` must be text"),
        ("d.jsonl", "\n[1]\n",                                          "2: not a JSON object"),
        ("d.jsonl", "{\"commit\":\"a\n",                                "1: not a JSON object"),
    ];
    for (name, text, want) in table {
        let error = read(name, text).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}:{want}")), "{text:?}: {error}");
    }
    assert!(Deploys::read("/proc/self".as_ref()).is_err());
}

#[test]
fn the_newest_by_then_is_live_and_places_do_not_mix() {
    let deploys = read(
        "d.csv",
        "time,environment,service,commit
2026-03-01T03:00:00Z,prod,web,c3
2026-03-01T01:00:00Z,prod,web,c1
2026-03-01T02:00:00Z,staging,web,c2
2026-03-01T02:30:00Z,prod,api,a1
2026-03-01T04:00:00Z,prod,web,c1
2026-03-01T04:00:00Z,prod,web,c4
",
    )
    .unwrap();
    let live = |time: &str, environment| {
        let time = format!("2026-03-01T{time}:00Z").parse().unwrap();
        deploys.live(time, environment, "web").map(|live| live.now.commit.clone())
    };
    let none = |first: &str| Err(LiveError::None { first: Some(first.parse().unwrap()) });
    #[rustfmt::skip]
    let table = [
        ("00:59", Some("prod"),    none("2026-03-01T01:00:00Z")),
        ("01:00", Some("prod"),    Ok("c1".into())),
        ("02:59", Some("prod"),    Ok("c1".into())),
        ("03:00", Some("prod"),    Ok("c3".into())),
        ("09:00", Some("prod"),    Ok("c4".into())),
        ("09:00", Some("staging"), Ok("c2".into())),
        ("09:00", Some("canary"),  Err(LiveError::None { first: None })),
        ("09:00", None,            Err(LiveError::Which { environments: vec!["prod".into(), "staging".into()] })),
    ];
    for (time, environment, want) in table {
        assert_eq!(live(time, environment), want, "{time} {environment:?}");
    }
}
