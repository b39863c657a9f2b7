//! What the tools cost, against the programs that they stand for: `grep` against
//! ripgrep and `find` against fd, each as a process in the same jail.
//!
//! `cargo bench --bench tools` makes a tree of 5,000 files; `CASEFILE_BENCH_TREE` names
//! another. The candidates take turns within each round, and what counts is the median
//! of the ratios within a round. Nothing else should run meanwhile. The same program
//! outside of any jail is there to compare the jail itself.

#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench starts programs, prints, and fails as a test does"
)]

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use casefile::config::limits::Limits;
use casefile::jail::plan::{Layered, Plan, Wanted};
use casefile::jail::policy::{Library, Network, Strength};
use casefile::jail::wire::{Spec, WallKey};
use casefile::jail::{Hands, Jail, Streams, Zygote};
use casefile::tools::find::FindKind;
use casefile::tools::grep::{Case, Mode};
use casefile::tools::{Find, Grep, Place, find, grep};

const ROUNDS: usize = 41;

/// The tree that is made: about 23 MB.
const DIRECTORIES: usize = 700;
const FILES: usize = 5_000;
const FILE_LINES: usize = 115;

/// Where the jail shows it.
const BASE: &str = "/case";
const REPO: &str = "/case/repos/code";

fn main() {
    // A bench is a host like any other: its zygote is this program started anew.
    let name = std::env::args_os().next();
    if let Some(code) = casefile::jail::take_over(name.as_deref()) {
        std::process::exit(code);
    }
    let scratch = tempfile::Builder::new().prefix("casefile-bench-").tempdir().unwrap();
    let tree = match std::env::var_os("CASEFILE_BENCH_TREE") {
        Some(tree) => PathBuf::from(tree),
        None => make_tree(&scratch.path().join("tree")),
    };
    let zygote = Zygote::start().unwrap();
    let jail = zygote.open(&plan(&tree, scratch.path())).unwrap();
    let mut ground =
        Ground { hands: jail.hands().unwrap(), jail, tree, said: scratch.path().join("said") };
    ground.greps();
    ground.finds();
}

fn plan(tree: &Path, scratch: &Path) -> Plan {
    let offline = Library::new(None).named("offline").unwrap();
    let shown = offline.shown(Path::new("/nonexistent"), &[]).unwrap();
    let limits = Limits::default();
    let changes = scratch.join("changes");
    for name in ["upper", "work"] {
        std::fs::create_dir_all(changes.join(name)).unwrap();
    }
    // As a case has it: the `.git` is a layer of its own.
    let wiring = scratch.join("wiring");
    std::fs::create_dir_all(wiring.join(".git/info")).unwrap();
    let below = vec![wiring, tree.to_owned()];
    let wanted = Wanted {
        strength: Strength::Namespaces,
        network: Network::None,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown,
        layered: vec![Layered { at: REPO.into(), below, changes, durable: false }],
        program_at: None,
        scratch: None,
    };
    Plan::new(&wanted).unwrap()
}

struct Ground {
    hands: Hands,
    jail: Jail,
    tree: PathBuf,
    /// Where a program writes what it has to say, since some stop early otherwise.
    said: PathBuf,
}

impl Ground {
    fn greps(&mut self) {
        #[rustfmt::skip]
        let table: &[(&str, &[&str])] = &[
            ("zanzibar_not_there",        &[]),
            ("needle_in_few",             &[]),
            ("request",                   &[]),
            (r"fn \w+_4[0-9]\(",          &[]),
            (r"\w+_handler\(.*request",   &[]),
            ("RESPONSE",                  &["-i"]),
        ];
        for (pattern, flags) in table {
            let asked = Grep {
                pattern: (*pattern).into(),
                paths: vec![REPO.into()],
                case: if flags.is_empty() { Default::default() } else { Case::Insensitive },
                ..Grep::default()
            };
            // The same question: the tool's default is what `-S` asks for.
            let mut words = vec!["rg", "-n", "-S"];
            words.extend(*flags);
            words.extend(["-e", pattern]);
            self.against(&format!("grep {pattern}"), &words, |place| {
                grep(&asked, place).unwrap().facts
            });
        }
        let asked = Grep {
            pattern: "request".into(),
            paths: vec![REPO.into()],
            mode: Mode::Files,
            ..Grep::default()
        };
        self.against("grep request, files", &["rg", "-l", "-S", "request"], |place| {
            grep(&asked, place).unwrap().facts
        });
    }

    fn finds(&mut self) {
        #[rustfmt::skip]
        let table: &[(&str, &[&str])] = &[
            ("file_49",  &["fdfind", "-t", "f", "file_49"]),
            ("*7.rs",    &["fdfind", "-t", "f", "-g", "*7.rs"]),
            ("nowhere",  &["fdfind", "-t", "f", "nowhere"]),
        ];
        for (name, words) in table {
            let asked = Find {
                name: Some((*name).into()),
                paths: vec![REPO.into()],
                kind: Some(FindKind::File),
                ..Find::default()
            };
            self.against(&format!("find {name}"), words, |place| {
                find(&asked, place).unwrap().facts
            });
        }
    }

    /// A tool in turn with a program in the same jail, and outside of any.
    fn against(&mut self, what: &str, words: &[&str], tool: impl Fn(&mut Place<'_>) -> String) {
        let (mut ours, mut theirs, mut outside) = (Vec::new(), Vec::new(), Vec::new());
        let mut facts = String::new();
        for _ in 0..ROUNDS {
            let place = &mut Place { hands: &mut self.hands, base: BASE.as_bytes(), stop: None };
            ours.push(timed(|| facts = tool(place)));
            theirs.push(timed(|| self.in_jail(words)));
            outside.push(timed(|| self.outside(words)));
        }
        println!("\n{what}: {facts}");
        row("the tool", &ours);
        row(&format!("{} in the jail", words[0]), &theirs);
        row(&format!("{} outside", words[0]), &outside);
        println!(
            "  ratio by round, medians: {:.2} of it in the jail, {:.2} of it outside",
            ratio(&ours, &theirs),
            ratio(&ours, &outside)
        );
    }

    fn in_jail(&self, words: &[&str]) {
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let said = File::create(&self.said).unwrap();
        let mut args: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        args.push(REPO.into());
        let spec = Spec {
            args,
            env: vec![b"PATH=/usr/bin:/bin".to_vec()],
            cwd: b"/".to_vec(),
            terminal: None,
            wall_ms: 60_000,
            wall_key: WallKey::Wall,
        };
        let streams = Streams::Three([null.as_fd(), said.as_fd(), null.as_fd()]);
        let end = self.jail.start(&spec, &streams).unwrap().wait().unwrap();
        assert!(matches!(end.status, casefile::jail::wire::Status::Exited(0 | 1)), "{end:?}");
    }

    fn outside(&self, words: &[&str]) {
        let said = File::create(&self.said).unwrap();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(&self.tree).stdin(Stdio::null()).stdout(said);
        assert!(matches!(command.status().unwrap().code(), Some(0 | 1)));
    }
}

/// Text that looks like code, always the same.
fn make_tree(top: &Path) -> PathBuf {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let words = ["request", "response", "order", "payment", "retry", "config", "client", "cache"];
    let mut dirs = vec![top.to_owned()];
    while dirs.len() < DIRECTORIES {
        let parent = dirs[next(dirs.len())].clone();
        dirs.push(parent.join(format!("{}_{}", words[next(words.len())], dirs.len())));
    }
    dirs.iter().for_each(|dir| std::fs::create_dir_all(dir).unwrap());
    std::fs::write(top.join(".gitignore"), "target/\n*.o\n/build\n*.log\n").unwrap();
    for nth in 0..FILES {
        let mut text = String::new();
        for line in 0..FILE_LINES {
            let (one, two) = (words[next(words.len())], words[next(words.len())]);
            match line % 5 {
                0 => writeln!(text, "fn {one}_{two}_{line}(value: u64) -> u64 {{").unwrap(),
                4 => writeln!(text, "}}\n").unwrap(),
                _ => {
                    writeln!(text, "    let {one} = {two}_handler({nth}, value + {line});")
                        .unwrap();
                }
            }
        }
        if nth % 997 == 0 {
            text.push_str("// needle_in_few\n");
        }
        let dir = &dirs[next(dirs.len())];
        std::fs::write(dir.join(format!("file_{nth}.rs")), text).unwrap();
    }
    top.to_owned()
}

/// Milliseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1000.0
}

fn ratio(these: &[f64], those: &[f64]) -> f64 {
    let mut ratios: Vec<_> = these.iter().zip(those).map(|(this, that)| this / that).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn row(what: &str, times: &[f64]) {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    println!("  {what:<34} {:>9.3} ms median, {:.3} to {:.3} (p5 to p95)", at(50), at(5), at(95));
}
