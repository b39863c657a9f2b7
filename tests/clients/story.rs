//! What an agent does with casefile, one call after the other, and what it has to see each
//! time. Which client it works through is nothing that this knows.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::World;

/// How long a command may still be there that nobody waits for any more.
const GONE_MAX: Duration = Duration::from_millis(200);
/// So many lines are more than is shown of a command.
const LINES: usize = 20_000;

/// A call that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) tool: &'static str,
    pub(crate) arguments: Value,
    /// It never ends, and is to be left off.
    pub(crate) is_endless: bool,
}

/// The story, at one of its points.
#[derive(Debug)]
pub(crate) struct Story {
    at: usize,
    case: String,
    kept: String,
    /// By which the endless command is known from outside.
    mark: String,
    cases: PathBuf,
}

impl Story {
    pub(crate) fn new(world: &World, client: &str) -> Self {
        let unique = world.path("work").to_string_lossy().replace('/', "-");
        Self {
            at: 0,
            case: String::new(),
            kept: String::new(),
            mark: format!("endless-{client}{unique}"),
            cases: world.state().join("cases"),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at == 8
    }

    /// Holds what was seen of the call before, and says which is next; none is, at the end.
    pub(crate) fn next(&mut self, seen: &str) -> Option<Call> {
        let call = |tool, arguments| Some(Call { tool, arguments, is_endless: false });
        let case = self.case.clone();
        self.at += 1;
        match self.at {
            1 => call("open_case", json!({"title": "Checkout 5xx", "repos": ["app"]})),
            2 => {
                // A client may put something before it.
                let told = seen.find("case ").map(|at| seen[at..].split_whitespace());
                let id = told.and_then(|mut words| words.nth(1));
                self.case = id.unwrap_or_else(|| panic!("{seen}")).to_owned();
                call("read_file", json!({"case": self.case, "path": "repos/app/one.txt"}))
            }
            3 => {
                assert!(seen.contains("one"), "{seen}");
                call("grep", json!({"case": case, "pattern": "^tw[o]$"}))
            }
            4 => {
                assert!(seen.contains("repos/app/two.txt"), "{seen}");
                let command = format!("cd /case/repos/app; git log --oneline; seq 1 {LINES}");
                call("shell", json!({"case": case, "command": command}))
            }
            5 => {
                assert!(seen.contains(" two\n") && !seen.contains("\n10000\n"), "{seen}");
                let from = seen.find("outputs/").unwrap_or_else(|| panic!("{seen}"));
                let path = seen[from..].split([' ', '\n', '`', ',', ':', '"']).next().unwrap();
                self.kept = path.to_owned();
                call("read_file", json!({"case": case, "path": path, "from": LINES}))
            }
            6 => {
                assert!(seen.contains("\t20000") && !seen.contains("\t19990"), "{seen}");
                let mark = &self.mark;
                let command = format!("touch /case/notes/begun; exec -a {mark} sleep 600");
                let arguments = json!({"case": case, "command": command});
                Some(Call { tool: "shell", arguments, is_endless: true })
            }
            7 => {
                assert!(!seen.contains("exit code"), "{seen}");
                let began = Instant::now();
                let notes = self.cases.join(&case).join("layers/0/notes/upper/begun");
                assert!(notes.exists(), "it never began: {seen}");
                while runs(&self.mark) {
                    assert!(began.elapsed() < GONE_MAX, "it still runs: {seen}");
                    std::thread::sleep(Duration::from_millis(2));
                }
                call("shell", json!({"case": case, "command": "echo it goes on"}))
            }
            8 => {
                assert!(seen.contains("it goes on"), "{seen}");
                None
            }
            _ => None,
        }
    }
}

/// Whether a process runs whose command line has this in it.
fn runs(mark: &str) -> bool {
    let all = std::fs::read_dir("/proc").unwrap();
    all.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.starts_with(mark.as_bytes())
    })
}
