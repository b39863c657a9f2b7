//! A case of a test's own, with a jail that shows it, and a session that works in it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use casefile::config::PolicyName;
use casefile::config::limits::{Limit, Limits};
use casefile::govern::{Finding, Line, check};
use casefile::jail::Zygote;
use casefile::jail::plan::{Plan, Wanted};
use casefile::jail::policy::{Giver, Library, Mode, Mount, Network, Policy, Shown, Strength};
use casefile::outputs::{Budget, Known, Secrets};
use casefile::tools::{Call, Opened, Reply, Session, Shell, Start, Stop};
use jiff::Timestamp;
use nix::unistd::Pid;

use crate::common::{binary, this_program};

/// The variable that names the program under test to one who could not find it.
pub const PROGRAM: &str = "CASEFILE_UNDER_TEST";

/// Where the jail has the tests.
pub const PROBE: &str = "/probe";

/// A value that is known to be a secret, and is shaped like none.
pub const SECRET: &str = "correct horse battery";

/// What a session borrows.
pub struct Ground {
    dir: tempfile::TempDir,
    policy: Policy,
    limits: Limits,
    plan: Plan,
    pub opened: Arc<AtomicUsize>,
    /// The process from which the jail was forked.
    pub zygote: Arc<Mutex<Option<Pid>>>,
}

impl Ground {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(changed: &[(Limit, u64)]) -> Self {
        let dir = tempfile::Builder::new().prefix("casefile-tools-").tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        for name in ["notes", "evidence", "outputs"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let policy = Library::new(None).load(&PolicyName::default()).unwrap();
        let mut limits = policy.limits(&Limits::default());
        for (limit, value) in changed {
            limits.set(*limit, *value).unwrap();
        }
        let mut shown = policy.shown(Path::new("/"), &[]).unwrap();
        for (name, mode) in
            [("notes", Mode::Write), ("evidence", Mode::Read), ("outputs", Mode::Read)]
        {
            let (from, to) = (dir.path().join(name), Path::new("/case").join(name));
            let mount = Mount { from, to, mode };
            shown.push(Shown { mount, by: Giver::Flag(mode), optional: false });
        }
        // A program that the tests can have in there: they themselves.
        let mount = Mount { from: this_program().into(), to: PROBE.into(), mode: Mode::Read };
        shown.push(Shown { mount, by: Giver::Flag(Mode::Read), optional: false });
        let wanted = Wanted {
            strength: Strength::Namespaces,
            network: Network::None,
            // As in a case, whose directories have none of the host's.
            local_sockets: true,
            limits: &limits,
            kept: Vec::new(),
            shown,
            layered: Vec::new(),
            program_at: None,
            scratch: None,
        };
        let plan = Plan::new(&wanted).unwrap();
        Self { dir, policy, limits, plan, opened: Arc::default(), zygote: Arc::default() }
    }

    /// A file of the case, on the host.
    pub fn host(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.host(name), bytes).unwrap();
    }

    /// The kept outputs, by name.
    pub fn outputs(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.host("outputs")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The journal, which is held to be good.
    pub fn journal(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let finding = check(self.dir.path(), |line, _| lines.push(line.clone())).unwrap();
        assert!(matches!(finding, Finding { fault: None, .. }), "{finding:?}");
        lines
    }

    /// All that the host has of the case, as one text.
    pub fn everything(&self) -> String {
        let mut all = String::new();
        for entry in walk(self.dir.path()) {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(entry).unwrap()));
        }
        all
    }
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

/// Works in a session of this case.
pub fn in_session<T>(ground: &Ground, act: impl FnOnce(&Session) -> T) -> T {
    let (plan, opened, newest) =
        (ground.plan.clone(), ground.opened.clone(), ground.zygote.clone());
    let open = move || {
        opened.fetch_add(1, Ordering::Relaxed);
        let program = std::env::var_os(PROGRAM).map_or_else(|| binary().into(), PathBuf::from);
        let zygote = Zygote::start_as(&program).unwrap();
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
        let pid = children.split_whitespace().last().unwrap().parse().unwrap();
        *newest.lock().unwrap() = Some(Pid::from_raw(pid));
        let jail = zygote.open(&plan).unwrap();
        Ok(Opened { jail, zygote })
    };
    let clock = || "2026-03-01T03:12:00Z".parse::<Timestamp>().unwrap();
    let known = Known { name: "phrase".into(), value: SECRET.into() };
    let session = Session::begin(casefile::tools::Ground {
        case: ground.dir.path().into(),
        policy: ground.policy.clone(),
        start: Start {
            env: vec![b"PATH=/usr/bin:/bin".to_vec(), b"HOME=/home/case".to_vec()],
            limits: ground.limits.clone(),
            cwd: "/case/notes".into(),
            base: "/case".into(),
        },
        secrets: Arc::new(Secrets::new([7; 16], vec![known]).unwrap()),
        code: Vec::new(),
        budget: Budget::default(),
        outputs_bytes_max: ground.limits.get(Limit::Outputs) << 20,
        outputs_at: "/case/outputs".into(),
        open: Box::new(open),
        clock: Box::new(clock),
        key: [7; 16],
    });
    act(&session.unwrap())
}

pub fn call(session: &Session, call: &Call) -> Reply {
    session.call(call, false, &Stop::default()).unwrap()
}

/// What a command line shows.
pub fn shell(session: &Session, command: &str) -> String {
    call(session, &line(command)).shown.text().to_owned()
}

pub fn line(command: &str) -> Call {
    Call::Shell(Shell { command: command.into(), ..Shell::default() })
}
