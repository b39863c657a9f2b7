//! Somebody on the host changes things while a jail is made of them: names are
//! exchanged, mounts come and go, settings are other than when they were trusted.
//! What was named is shown, or nothing is.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::Test;
use crate::common::{ORDINARY_UID, User, am_root};
use crate::ground::{GONE_MAX, Ground, Ran, collect, start};

pub(crate) const TESTS: &[Test] = &[
    ("races::an_exchanged_name_shows_what_was_named", an_exchanged_name_shows_what_was_named),
    ("races::what_is_trusted_is_what_is_used", what_is_trusted_is_what_is_used),
    ("races::mounts_stay_on_their_side", mounts_stay_on_their_side),
];

const SECRET: &str = "the secret";
/// So many times each, at moments that nobody chooses.
const RUNS: usize = 25;

/// Exchanges two names, again and again, until this is dropped.
struct Exchange<'a> {
    is_over: &'a AtomicBool,
}

impl<'a> Exchange<'a> {
    fn start<'scope>(
        scope: &'scope thread::Scope<'scope, '_>,
        is_over: &'a AtomicBool,
        one: &Path,
        other: &Path,
    ) -> Self
    where
        'a: 'scope,
    {
        let name = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
        let (one, other) = (name(one), name(other));
        is_over.store(false, Ordering::Relaxed);
        scope.spawn(move || {
            let mut count = 0_u32;
            // To the end in pairs, so that everything is where it was.
            while !is_over.load(Ordering::Relaxed) || count % 2 == 1 {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &*one, AT_FDCWD, &*other, flags).unwrap();
                count += 1;
                if count.is_multiple_of(64) {
                    // A machine with one processor is for the others too.
                    thread::yield_now();
                }
            }
        });
        Self { is_over }
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn an_exchanged_name_shows_what_was_named(user: User) {
    let ground = Ground::new(user, "wall_s: 20");
    ground.world.put("secret/below/file", SECRET);
    ground.world.put("work/race/named/below/file", "named");
    // Another that is its owner's too; to show it is to show what was named then.
    ground.world.put("work/race/other/below/file", "other");
    symlink(ground.world.path("secret"), ground.world.path("work/race/link")).unwrap();
    let race = ground.world.path("work/race");
    if am_root() {
        // Whoever exchanges is nobody that root would rely on.
        let id = Some(ORDINARY_UID);
        for name in ["", "named", "other", "link"] {
            std::os::unix::fs::lchown(race.join(name), id, id).unwrap();
        }
    }
    let is_over = AtomicBool::new(false);
    let mut counts = BTreeMap::<&str, usize>::new();
    for (flag, policy) in
        [("--read", "offline"), ("--write", "offline"), ("--read", "landlock-only")]
    {
        for with in ["link", "other"] {
            for name in ["named", "named/below"] {
                let path = race.join(name);
                let file = race.join("named/below/file");
                thread::scope(|scope| {
                    let exchange =
                        Exchange::start(scope, &is_over, &race.join("named"), &race.join(with));
                    for _ in 0..RUNS {
                        let options = ["--policy", policy, flag, path.to_str().unwrap()];
                        let mut command = ground.run(&options);
                        command.args(["--", "cat"]).arg(&file);
                        let ran = ground.finish(command);
                        let seen = String::from_utf8_lossy(&ran.out).into_owned();
                        assert!(!seen.contains(SECRET), "{options:?} with {with}: {ran:?}");
                        let came = match (ran.status.code(), &*seen) {
                            (Some(0), "named") => "named",
                            (Some(0), "other") if with == "other" => "other",
                            (Some(1), "") if ran.err.starts_with("error: cannot show") => "refused",
                            // What stands there now is not what was shown.
                            (Some(1), "") if ran.err.starts_with("cat: ") => "closed",
                            (Some(125), "") => "caught",
                            _ => panic!("{options:?} with {with}: {ran:?}"),
                        };
                        *counts.entry(came).or_default() += 1;
                    }
                    drop(exchange);
                });
            }
        }
    }
    println!("{counts:?}");
    // A race that nobody lost and nobody won was none.
    assert!(counts.contains_key("named") && counts.contains_key("refused"), "{counts:?}");
}

fn what_is_trusted_is_what_is_used(user: User) {
    let ground = Ground::new(user, "");
    ground.world.put("secret/file", SECRET);
    let secret = ground.world.path("secret");
    let mine = "name: mine\nabout: mine\ninclude: [base]\nleast: namespaces\n";
    let shows = format!(
        "{mine}files: {{mounts: [{{from: {}, to: /mnt/secret, mode: read}}]}}\n",
        secret.display()
    );
    #[rustfmt::skip]
    let table = [
        // changes                          trusted               not trusted
        ("work/casefile.yaml",              "policy: offline\n",  "policy: shows\n"),
        ("work/sandbox-policy/mine.yaml",   mine,                 &*shows),
    ];
    ground.world.put("work/sandbox-policy/shows.yaml", shows.replace("mine", "shows"));
    for (changes, good, bad) in table {
        ground.world.put("work/casefile.yaml", "policy: mine\n");
        ground.world.put("work/sandbox-policy/mine.yaml", mine);
        ground.world.put(changes, good);
        let _ = ground.world.run(&["config", "trust"]).success();
        ground.world.put("work/other", bad);
        let (at, other) = (ground.world.path(changes), ground.world.path("work/other"));
        let is_over = AtomicBool::new(false);
        let (mut ran, mut refused) = (0, 0);
        thread::scope(|scope| {
            let exchange = Exchange::start(scope, &is_over, &at, &other);
            for _ in 0..4 * RUNS {
                let outcome =
                    ground.world.run(&["run", "--", "sh", "-c", "cat /mnt/secret/file; echo ran"]);
                assert!(!outcome.stdout.contains(SECRET), "{changes}: {outcome}");
                match outcome.stdout.as_str() {
                    "ran\n" => ran += 1,
                    _ => {
                        assert!(outcome.stderr.contains("is not trusted"), "{changes}: {outcome}");
                        refused += 1;
                    }
                }
            }
            drop(exchange);
        });
        println!("{changes}: {ran} ran, {refused} were refused");
        assert!(0 < ran && 0 < refused, "{changes}: {ran} ran, {refused} were refused");
    }
}

/// A shell with mounts of its own that it shares with all it starts. An ordinary
/// user has those only as the root of a user namespace.
fn with_shared_mounts(ground: &Ground, script: &str) -> Command {
    let mut shell = match am_root() {
        true => Command::new("unshare"),
        false => ground.world.program("unshare"),
    };
    let namespaces = if am_root() { "-m" } else { "-mUr" };
    let script = format!("mount --make-rshared / && {script}");
    shell.args([namespaces, "sh", "-ec", &script]);
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

fn mounts_stay_on_their_side(user: User) {
    let ground = Ground::new(user, "wall_s: 20");
    ground.world.put("work/shown/inner/here", "");
    ground.world.put("work/given/here", "");
    let path = |name: &str| ground.world.path(name).to_str().unwrap().to_owned();
    let (shown, inner, given) = (path("work/shown"), path("work/shown/inner"), path("work/given"));
    // The jail waits for a line, by which time all is mounted that will be.
    let inside = format!(
        "echo up; read line; ls {inner} {given} | tr '\\n' ' '; \
         grep -c -E 'shared:|master:|propagate_from:' /proc/self/mountinfo; true"
    );
    let options = ["--read", &shown, "--write", &given, "--", "sh", "-c", &inside];
    let run = ground.run(&options);
    let mut words: Vec<String> = vec!["env".into(), "-i".into()];
    if am_root() && user == User::Ordinary {
        let id = ORDINARY_UID.to_string();
        let to = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"].map(str::to_owned);
        words = [&to[..], &words].concat();
    }
    let variables = run
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value?.to_str()?)));
    words.extend(variables);
    let program = [run.get_program()].into_iter().chain(run.get_args());
    words.extend(program.map(|word| word.to_str().unwrap().to_owned()));
    let quoted: Vec<String> =
        words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    let script = format!(
        "before=$(wc -l </proc/self/mountinfo); mkfifo {work}/fifo; chmod 666 {work}/fifo; \
         {run} <{work}/fifo & exec 3>{work}/fifo; read go; \
         echo during $(($(wc -l </proc/self/mountinfo) - before)); \
         mount -t tmpfs later {inner}; mount -t tmpfs later {given}; \
         touch {inner}/LATER {given}/LATER; echo go >&3; exec 3>&-; wait $!; \
         umount {inner} {given}; echo after $(($(wc -l </proc/self/mountinfo) - before))",
        work = path("work"),
        run = quoted.join(" "),
    );
    let began = std::time::Instant::now();
    let mut child = start(&mut with_shared_mounts(&ground, &script));
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().map(Result::unwrap).as_deref(), Some("up"), "{:?}", child.wait());
    stdin.write_all(b"go\n").unwrap();
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    let ran: Ran = collect(child, began);
    let listed = format!("{given}: here  {inner}: here 0");
    assert_eq!(said, ["during 0", &listed, "after 0"], "{ran:?}");
    assert!(ran.status.success(), "{ran:?}");
    assert!(ground.gone_after() <= GONE_MAX);
    let names = |dir: &str| -> Vec<PathBuf> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!((names(&inner).len(), names(&given).len()), (1, 1));
}
