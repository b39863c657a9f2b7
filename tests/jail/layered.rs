//! A tree of layers that a jail changes: everything a file can be made to do works,
//! nothing below is ever touched, and what was written is there the next time.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casefile::config::limits::{Limit, Limits};
use casefile::hint::Hint;
use casefile::jail::plan::{Layered, Plan, PlanError, Wanted};
use casefile::jail::policy::{Library, Strength};
use casefile::jail::wire::{End, PassedLimit, Spec, Status, WallKey};
use casefile::jail::{Jail, Streams, Zygote};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Test;
use crate::common::{User, World};
use crate::ground::{outside, start};

pub(crate) const TESTS: &[Test] = &[
    ("layered::files_change_and_layers_do_not", files_change_and_layers_do_not),
    ("layered::what_was_written_is_there_again", what_was_written_is_there_again),
    ("layered::two_at_once_see_their_own", two_at_once_see_their_own),
    ("layered::no_way_leads_to_a_layer", no_way_leads_to_a_layer),
    ("layered::marks_lead_nowhere", marks_lead_nowhere),
    ("layered::the_disk_has_an_end", the_disk_has_an_end),
    ("layered::a_killed_host_loses_nothing", a_killed_host_loses_nothing),
    ("layered::what_cannot_be_laid_is_refused", what_cannot_be_laid_is_refused),
    ("layered::git_works_in_it", git_works_in_it),
    ("layered::the_program_is_there", the_program_is_there),
];

/// Plays a part of a file as `user`, in an empty directory of theirs.
#[track_caller]
pub(crate) fn go(user: User, file: &str, part: &str) {
    let world = World::of(user);
    let work = world.path("work");
    let outcome = world.finish(outside(&world, &[file, part, work.to_str().unwrap()]));
    println!("{}", outcome.stdout);
    let _ = outcome.success();
}

macro_rules! parts {
    ($($name:ident => $part:path),* $(,)?) => {
        $(fn $name(user: User) { go(user, "layered", stringify!($name)); })*

        pub(crate) fn play(words: &[&str]) -> ExitCode {
            let [part, dir] = words else { panic!("no such part: {words:?}") };
            let dir = Path::new(dir);
            match *part {
                $(stringify!($name) => $part(dir),)*
                "hold" => hold(dir),
                "from-hidden" => from_hidden(dir),
                _ => panic!("no such part: {part}"),
            }
            ExitCode::SUCCESS
        }
    };
}

parts! {
    files_change_and_layers_do_not => files,
    what_was_written_is_there_again => again,
    two_at_once_see_their_own => two,
    no_way_leads_to_a_layer => ways,
    marks_lead_nowhere => marks,
    the_disk_has_an_end => full,
    a_killed_host_loses_nothing => killed,
    what_cannot_be_laid_is_refused => refused,
    git_works_in_it => git,
    the_program_is_there => program,
}

const AT: &str = "/case/repos/code";
/// This program, shown in the jails that it opens.
const PART: &str = "/run/casefile/part";

/// Three layers and an empty directory for changes: `top` over `middle` over `base`.
pub(crate) struct Stack {
    dir: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Stack {
    pub(crate) fn new(dir: &Path) -> Self {
        let put = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("base/file", "base");
        put("base/gone", "below a whiteout");
        put("base/dir/one", "1");
        put("base/dir/two", "2");
        put("base/dir/deep/three", "3");
        put("base/hidden/old", "below an opaque directory");
        put("middle/file", "middle");
        put("middle/hidden/new", "in an opaque directory");
        put("top/top", "top");
        put("outside/secret", "not for a jail");
        symlink("file", dir.join("base/link")).unwrap();
        fs::hard_link(dir.join("base/dir/one"), dir.join("base/dir/uno")).unwrap();
        fs::set_permissions(dir.join("base/dir/two"), PermissionsExt::from_mode(0o755)).unwrap();
        whiteout(&dir.join("middle/gone"));
        xattr(&dir.join("middle/hidden"), c"user.overlay.opaque", b"y");
        changes(dir, "changes");
        let stack = Self { dir: dir.into(), before: BTreeMap::new() };
        let before = stack.layers();
        Self { before, ..stack }
    }

    pub(crate) fn layered(&self, changes: &str, durable: bool) -> Layered {
        let below = ["top", "middle", "base"].map(|name| self.dir.join(name)).into();
        Layered { at: AT.into(), below, changes: self.dir.join(changes), durable }
    }

    /// Everything about every file of every layer that anybody could change.
    fn layers(&self) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        ["top", "middle", "base", "outside"]
            .iter()
            .for_each(|name| list(&self.dir.join(name), &mut files));
        files
    }

    #[track_caller]
    pub(crate) fn unchanged(&self) {
        assert_eq!(self.layers(), self.before, "a layer was changed");
    }

    pub(crate) fn open(&self, zygote: &Zygote) -> Jail {
        zygote.open(&plan(vec![self.layered("changes", false)])).unwrap()
    }
}

fn list(path: &Path, files: &mut BTreeMap<PathBuf, String>) {
    let stat = path.symlink_metadata().unwrap();
    let text = if stat.is_file() { fs::read_to_string(path).unwrap() } else { String::new() };
    let times = (stat.mtime(), stat.mtime_nsec(), stat.ctime(), stat.ctime_nsec());
    let about = (stat.mode(), stat.uid(), stat.gid(), stat.nlink(), stat.ino(), times, text);
    files.insert(path.into(), format!("{about:?}"));
    if stat.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            list(&entry.unwrap().path(), files);
        }
    }
}

pub(crate) fn changes(dir: &Path, name: &str) {
    for name in [format!("{name}/upper"), format!("{name}/work")] {
        fs::create_dir_all(dir.join(name)).unwrap();
    }
}

/// What whoever opens a case does before.
pub(crate) fn empty_work(dir: &Path) {
    let work = dir.join("changes/work");
    // The kernel makes them so that nobody may look.
    for inner in ["work/work", "work/work/incompat", "work/work/incompat/volatile"] {
        let _ =
            fs::set_permissions(dir.join("changes").join(inner), PermissionsExt::from_mode(0o700));
    }
    fs::remove_dir_all(&work).unwrap();
    fs::create_dir(&work).unwrap();
}

fn whiteout(path: &Path) {
    use nix::sys::stat::{Mode, SFlag, mknod};
    mknod(path, SFlag::S_IFCHR, Mode::empty(), 0).unwrap();
}

fn xattr(path: &Path, name: &std::ffi::CStr, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

pub(crate) fn plan(layered: Vec<Layered>) -> Plan {
    plan_with(layered, |_| {}).unwrap()
}

pub(crate) fn plan_with(
    layered: Vec<Layered>,
    change: impl Fn(&mut Limits),
) -> Result<Plan, PlanError> {
    let policy = Library::default().named("offline").unwrap();
    let mut limits = policy.limits(&Limits::default());
    change(&mut limits);
    Plan::new(&Wanted {
        strength: Strength::Namespaces,
        network: policy.network.value,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown: policy.shown(Path::new("/"), &[]).unwrap(),
        layered,
        program_at: Some(PART.into()),
        scratch: None,
    })
}

pub(crate) fn run(jail: &Jail, script: &str) -> (End, String) {
    let null = fs::File::open("/dev/null").unwrap();
    let (mut out, theirs) = std::io::pipe().unwrap();
    let spec = Spec {
        args: ["sh", "-ec", script].map(|word| word.as_bytes().to_vec()).into(),
        env: ["PATH=/usr/bin:/bin", "HOME=/home/case", "LC_ALL=C"].map(|var| var.into()).into(),
        cwd: AT.into(),
        terminal: None,
        wall_ms: 60_000,
        wall_key: WallKey::Wall,
    };
    let streams = Streams::Three([null.as_fd(), theirs.as_fd(), theirs.as_fd()]);
    let running = jail.start(&spec, &streams).unwrap();
    drop(theirs);
    let mut said = Vec::new();
    out.read_to_end(&mut said).unwrap();
    (running.wait().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
pub(crate) fn says(jail: &Jail, script: &str) -> String {
    let (end, said) = run(jail, script);
    assert_eq!((end.status, end.passed), (Status::Exited(0), None), "{script}\n{said}");
    said
}

fn files(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        // The layers as one, before anything is changed.
        ("ls -A | tr '\\n' ' '; cat file top; ls -A hidden; cat gone 2>&1 || :",
                                                  "dir file hidden link top middletopnew\ncat: gone: No such file or directory\n"),
        ("stat -c '%u %g %a %n' file dir/two dir", "1000 1000 644 file\n1000 1000 755 dir/two\n1000 1000 755 dir\n"),
        ("cat link; readlink link",                "middlefile\n"),
        // Changing what is there.
        ("echo more >>file; cat file",             "middlemore\n"),
        ("chmod 600 dir/two; stat -c %a dir/two; chmod 644 dir/two; cat dir/two", "600\n2"),
        ("chown 1000:1000 top; touch -d @1000000000.5 top; stat -c '%u %.Y' top", "1000 1000000000.500000000\n"),
        ("truncate -s 2 link; cat file",           "mi"),
        ("ln dir/two dir/zwei; echo 4 >>dir/zwei; cat dir/two; stat -c %h dir/two", "24\n2\n"),
        ("mv dir/one one; cat one; ls dir | tr '\\n' ' '",  "1deep two uno zwei "),
        ("mv -T dir/two file; cat file",            "24\n"),
        ("ln -s /etc/hostname away; cat away",     "case\n"),
        ("mkfifo pipe; (echo x >pipe &) ; cat pipe; rm pipe", "x\n"),
        // Directories, below and new.
        ("mv dir renamed; ls -A renamed; cat renamed/deep/three; ls -d dir 2>&1 || :",
                                                  "deep\nuno\nzwei\n3ls: cannot access 'dir': No such file or directory\n"),
        ("mkdir -p new/inner; echo n >new/inner/n; mv new newer; mv newer/inner inner; cat inner/n", "n\n"),
        ("rm -r hidden; mkdir hidden; ls -A hidden; echo again >hidden/old; cat hidden/old", "again\n"),
        ("rm file; mkdir file; touch file/f; rm -r renamed; echo now a file >renamed; cat renamed", "now a file\n"),
        ("ls -A | tr '\\n' ' '",                   "away file hidden inner link newer one renamed top "),
        // Locks, maps and times, as programs use them.
        ("flock top -c 'echo locked'; python3 -c 'import mmap; f=open(\"top\",\"r+b\"); m=mmap.mmap(f.fileno(),0); m[0:1]=b\"T\"; m.flush()' 2>/dev/null && cat top || echo Top", "locked\nTop\n"),
    ];
    for (script, want) in table {
        let said = says(&jail, script);
        // With or without python there.
        assert_eq!(said.trim_end(), want.trim_end(), "{script}");
    }
    stack.unchanged();
    drop(jail);
    stack.unchanged();
    // On the host everything is the caller's, and what is gone is marked so.
    let upper = dir.join("changes/upper");
    assert!(upper.join("dir").symlink_metadata().unwrap().file_type().is_char_device());
    let (stat, own) = (upper.join("hidden/old").metadata().unwrap(), dir.metadata().unwrap());
    assert_eq!((stat.uid(), stat.gid()), (own.uid(), own.gid()));
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(upper.join("hidden"), c"user.overlay.opaque", &mut value);
    assert_eq!(&value[..length.unwrap()], b"y");
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!table.contains(AT) && !table.contains(dir.to_str().unwrap()), "{table}");
}

fn again(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    says(&jail, "echo kept >>file; rm top; mkdir -p a/b; ln file a/b/c");
    // While it is open, and afterwards, nobody else can have it as it is.
    let refusal = zygote.open(&plan(vec![stack.layered("changes", false)])).unwrap_err();
    assert!(refusal.to_string().contains("`work` was not emptied"), "{refusal}");
    assert!(refusal.hint().unwrap().contains("nobody else"), "{refusal:?}");
    drop(jail);
    for durable in [false, true, true] {
        empty_work(dir);
        let jail = zygote.open(&plan(vec![stack.layered("changes", durable)])).unwrap();
        let script = "cat file a/b/c; ls -A | tr '\\n' ' '; cat /proc/self/mountinfo | grep -c volatile || :";
        let mounted = if durable { "0" } else { "1" };
        let names = "a dir file hidden link ";
        assert_eq!(says(&jail, script), format!("middlekept\nmiddlekept\n{names}{mounted}\n"));
        assert_eq!(says(&jail, "echo x >>dir/two; sync; tail -n1 dir/two | tail -c2"), "x\n");
    }
    stack.unchanged();
}

fn two(dir: &Path) {
    let stack = Stack::new(dir);
    changes(dir, "other");
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    let other = zygote.open(&plan(vec![stack.layered("other", false)])).unwrap();
    says(&jail, "echo mine >file; rm -r dir; touch only");
    assert_eq!(
        says(&other, "cat file; ls dir | tr '\\n' ' '; ls only 2>/dev/null || :"),
        "middledeep one two uno "
    );
    says(&other, "echo other >file");
    assert_eq!(says(&jail, "cat file; ls -A | tr '\\n' ' '"), "mine\nfile hidden link only top ");
    // And two trees in one jail.
    drop((jail, other));
    empty_work(dir);
    let mut second = stack.layered("more", false);
    changes(dir, "more");
    second.at = "/case/repos/second".into();
    let both = plan(vec![stack.layered("changes", false), second]);
    let jail = zygote.open(&both).unwrap();
    assert_eq!(
        says(&jail, "cat file ../second/file; mv file ../second/moved; cat ../second/moved"),
        "mine\nmiddlemine\n"
    );
    stack.unchanged();
}

fn ways(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    let table = says(&jail, "cat /proc/self/mountinfo");
    let overlays: Vec<_> = table.lines().filter(|line| line.contains(" - overlay ")).collect();
    assert!(overlays.len() == 1 && overlays[0].contains(&format!(" {AT} ")), "{table}");
    assert!(overlays[0].contains("nosuid,nodev"), "{table}");
    assert!(overlays[0].contains("userxattr") && overlays[0].contains("volatile"), "{table}");
    // Nothing else of the case is mounted anywhere, and no name of it is told.
    assert!(!table.contains(".layers") && !table.contains(dir.to_str().unwrap()), "{table}");
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("ls -A / | grep layers || echo none",                        "none\n"),
        ("ls /proc/self/cwd/../../..; ls -d /proc/self/root/.layers 2>&1 | sed 's/.*: //'", ""),
        ("mount -o remount,rw / 2>&1 | tail -c 1; umount . 2>/dev/null || echo no", "\nno\n"),
        ("mknod n c 0 0 2>&1 | sed 's/.*: //'",                       "Operation not permitted\n"),
        ("mknod n c 1 3 2>&1 | sed 's/.*: //'",                       "Operation not permitted\n"),
        ("chmod u+s file 2>&1 | sed 's/.*: //'",                      "Operation not permitted\n"),
    ];
    for (script, want) in table {
        let said = says(&jail, script);
        assert!(said.ends_with(want), "{script}: {said}");
    }
    stack.unchanged();
}

/// What an agent writes are the marks that the kernel goes by. None leads anywhere
/// else than down the same layers.
fn marks(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    // From inside, as far as the kernel lets it.
    for name in ["trusted.overlay.redirect", "trusted.overlay.opaque", "trusted.overlay.metacopy"] {
        let (end, said) = run(&jail, &format!("{PART} xattr dir {name} /../outside"));
        assert_eq!(end.status, Status::Exited(3), "{name}: {said}");
    }
    let secret = dir.join("outside/secret");
    for value in
        ["/../outside", "/../../outside/secret", secret.to_str().unwrap(), "/outside/secret"]
    {
        for name in ["redirect", "metacopy", "origin", "upper", "opaque", "impure", "protattr"] {
            let _ = run(&jail, &format!("{PART} xattr dir user.overlay.{name} {value}"));
            let _ = run(&jail, &format!("{PART} xattr file user.overlay.{name} {value}"));
        }
        says(&jail, "! grep -rq 'not for a jail' . 2>&1");
    }
    drop(jail);
    // And as if it had found a way to write them: laid on the host, opened again.
    let upper = dir.join("changes/upper");
    for (name, is_dir) in [("forged", true), ("forged-file", false), ("dir", true), ("file", false)]
    {
        let path = upper.join(name);
        let made = if is_dir { fs::create_dir_all(&path) } else { fs::write(&path, "") };
        made.unwrap();
        xattr(&path, c"user.overlay.redirect", b"/../outside");
        xattr(&path, c"user.overlay.metacopy", b"");
    }
    empty_work(dir);
    let jail = stack.open(&zygote);
    let (_, said) = run(
        &jail,
        "set +e; grep -r 'not for a' . 2>&1; ls -A forged 2>&1; cat forged-file file 2>&1 || :",
    );
    println!("{said}");
    assert!(!said.contains("secret") && !said.contains("not for a jail"), "{said}");
    stack.unchanged();
}

fn full(dir: &Path) {
    const MIB: u64 = 24;
    let stack = Stack::new(dir);
    // Far more below than the limit, which is not the jail's doing.
    fs::write(dir.join("base/large"), vec![1; 40 << 20]).unwrap();
    let zygote = Zygote::start().unwrap();
    let small = |limits: &mut Limits| limits.set(Limit::Disk, MIB).unwrap();
    let plan = plan_with(vec![stack.layered("changes", false)], small).unwrap();
    // The names of files, files without a name, and files that are only mapped.
    for hidden in ["files", "nameless", "mapped"] {
        let jail = zygote.open(&plan).unwrap();
        assert_eq!(says(&jail, "wc -c <large; sleep 0.3"), format!("{}\n", 40 << 20));
        let (end, said) = run(&jail, &format!("exec {PART} {hidden} ."));
        let passed = end.passed.map(|passed| passed.limit);
        assert_eq!(passed, Some(PassedLimit::Disk), "{hidden}: {said}");
        let names = fs::read_dir(dir.join("changes/upper")).unwrap();
        let kept: u64 = names.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(kept < (MIB + 100) << 20, "{kept} bytes before it was ended");
        println!("{hidden}: ended after {} MiB of {MIB}", kept >> 20);
        drop(jail);
        fs::remove_dir_all(dir.join("changes/upper")).unwrap();
        fs::create_dir(dir.join("changes/upper")).unwrap();
        empty_work(dir);
    }
}

fn hold(dir: &Path) {
    let stack = Stack { dir: dir.into(), before: BTreeMap::new() };
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    let (_, said) = run(&jail, "i=0; while :; do i=$((i+1)); echo $i >w.$i; mv w.$i done.$i; done");
    println!("{said}");
}

fn killed(dir: &Path) {
    use std::os::unix::process::CommandExt;
    let stack = Stack::new(dir);
    let written = || {
        let names = fs::read_dir(dir.join("changes/upper")).unwrap().flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().starts_with("done.")).count()
    };
    for round in 1..=5 {
        let before = written();
        let mut command = std::process::Command::new("/proc/self/exe");
        command.arg0("part").args(["layered", "hold", dir.to_str().unwrap()]);
        let mut host = start(&mut command);
        while written() < before.max(1) * 2 && written() < before + 300 {
            assert!(host.try_wait().unwrap().is_none(), "it ended by itself in round {round}");
        }
        let seen = written();
        kill(Pid::from_raw(host.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
        host.wait().unwrap();
        empty_work_when_gone(dir);
        let zygote = Zygote::start().unwrap();
        let jail = stack.open(&zygote);
        let count: usize = says(&jail, "ls | grep -c done").trim().parse().unwrap();
        assert!(seen <= count, "{count} of {seen} in round {round}");
        // Each holds what was written to it before it got its name.
        says(&jail, "for f in done.*; do [ \"$(cat $f)\" = \"${f#done.}\" ]; done; rm -f w.*");
        drop(jail);
        empty_work_when_gone(dir);
    }
    stack.unchanged();
}

/// The jail of a host that was killed ends within moments.
fn empty_work_when_gone(dir: &Path) {
    std::thread::sleep(std::time::Duration::from_millis(200));
    empty_work(dir);
}

fn refused(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let limits = Limits::default();
    let wanted = Wanted {
        strength: Strength::Landlock,
        network: casefile::jail::policy::Network::None,
        local_sockets: false,
        limits: &limits,
        kept: Vec::new(),
        shown: Vec::new(),
        layered: vec![stack.layered("changes", false)],
        program_at: None,
        scratch: None,
    };
    let refusal = Plan::new(&wanted).unwrap_err();
    assert!(refusal.to_string().contains("without namespaces"), "{refusal}");
    assert!(refusal.hint().unwrap().contains("copy"), "{refusal:?}");

    let refusal = plan_with(vec![stack.layered("nowhere", false)], |_| {}).unwrap_err();
    assert!(refusal.to_string().contains("/nowhere`"), "{refusal}");
    fs::create_dir(dir.join("empty")).unwrap();
    fs::create_dir_all(dir.join("linked/work")).unwrap();
    symlink("/tmp", dir.join("linked/upper")).unwrap();
    for name in ["empty", "linked"] {
        let refusal = zygote.open(&plan(vec![stack.layered(name, false)])).unwrap_err();
        let text = refusal.to_string();
        let want = ["overlay: ", AT, "need `upper`"];
        assert!(want.iter().all(|part| text.contains(part)), "{text}");
    }
    stack.unchanged();
}

fn git(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    says(
        &jail,
        "git init -q -b main .; git config user.email a@b; git config user.name n; git add -A; git commit -qm first",
    );
    drop(jail);
    // What was written is now a layer itself, as a fork has it.
    fs::rename(dir.join("changes/upper"), dir.join("frozen")).unwrap();
    changes(dir, "changes");
    empty_work(dir);
    let mut layered = stack.layered("changes", false);
    layered.below.insert(0, dir.join("frozen"));
    let jail = zygote.open(&plan(vec![layered])).unwrap();
    #[rustfmt::skip]
    let table: &[(&str, &str)] = &[
        ("git status --porcelain",                                                ""),
        ("git log --format=%s; git show --stat --format=%s | tail -n1 | cut -d, -f1", "first\n 8 files changed\n"),
        ("git blame -s file | cut -c10-; git diff HEAD --stat",                   "1) middle\n"),
        ("echo 2 >>file; git mv dir/two two; rm top; git status --porcelain",     " M file\n D top\nR  dir/two -> two\n"),
        ("git stash -q; git status --porcelain; cat file; git stash pop -q; git status --porcelain | wc -l", "middle4\n"),
        ("git checkout -qb branch; git commit -qam second; git log --format=%s",  "second\nfirst\n"),
        ("git checkout -q main; cat top; ls two 2>/dev/null || git checkout -q branch; ls two", "toptwo\n"),
        ("git gc -q --prune=now; git fsck; git worktree list | wc -l",            "1\n"),
        ("git reset -q --hard HEAD~1; git clean -fdq; git status --porcelain",    ""),
        ("git clone -q . /tmp/clone; git -C /tmp/clone log --format=%s",          "first\n"),
    ];
    for (script, want) in table {
        assert_eq!(says(&jail, script), *want, "{script}");
    }
    stack.unchanged();
}

/// The jail has the program that opened it, from wherever that was started, and not
/// what has come to stand at its place.
fn program(dir: &Path) {
    use std::os::unix::process::CommandExt;
    let hidden = dir.join("hidden");
    fs::create_dir(&hidden).unwrap();
    fs::copy("/proc/self/exe", hidden.join("program")).unwrap();
    // Where nobody but the caller may look.
    fs::set_permissions(&hidden, PermissionsExt::from_mode(0o700)).unwrap();
    let mut command = std::process::Command::new(hidden.join("program"));
    let status = command.arg0("part").args(["layered", "from-hidden"]).arg(dir).status();
    assert!(status.unwrap().success());
}

fn from_hidden(dir: &Path) {
    let stack = Stack::new(dir);
    let zygote = Zygote::start().unwrap();
    let jail = stack.open(&zygote);
    let script = format!("echo said | {PART} echo; echo x 2>/dev/null >>{PART} || echo no");
    assert_eq!(says(&jail, &script), "said\nno\n");
    let program = dir.join("hidden/program");
    for exchange in ["removed", "replaced"] {
        match exchange {
            "removed" => fs::remove_file(&program).unwrap(),
            _ => fs::write(&program, "#!/bin/sh\necho another").unwrap(),
        }
        let refusal = plan_with(Vec::new(), |_| {}).unwrap_err();
        assert!(matches!(refusal, PlanError::Replaced { .. }), "{exchange}: {refusal}");
        assert_eq!(refusal.hint().unwrap(), "Start casefile again.");
        assert_eq!(says(&jail, &script), "said\nno\n", "{exchange}");
    }
}
