//! What `--read` and `--write` show: this and no more, and nothing on the host is
//! made to show it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::Test;
use crate::common::{User, am_root};
use crate::ground::{Ground, Ran};

pub(crate) const TESTS: &[Test] = &[
    ("shown::where_and_as_what_was_asked", where_and_as_what_was_asked),
    ("shown::a_place_that_is_not_there_is_refused", a_place_that_is_not_there_is_refused),
    ("shown::the_kernels_own_is_in_no_policy", the_kernels_own_is_in_no_policy),
    (
        "shown::files_belong_to_whom_the_directory_belongs",
        files_belong_to_whom_the_directory_belongs,
    ),
    ("shown::nothing_that_outlives_the_jail_has_rights", nothing_that_outlives_the_jail_has_rights),
];

#[track_caller]
fn run(ground: &Ground, options: &[&str], script: &str) -> Ran {
    let before = ground.world.tree();
    let ran = ground.sh(options, script);
    if !options.contains(&"--write") {
        assert_eq!(ground.world.tree(), before, "{options:?} left something on the host");
    }
    ran
}

fn where_and_as_what_was_asked(user: User) {
    let ground = Ground::new(user, "");
    ground.world.put("work/data/file", "text");
    ground.world.put("work/data/inner/out", "old");
    ground.world.put("work/odd na\nme/file", "odd");
    ground.world.put("elsewhere/file", "else");
    symlink(ground.world.path("elsewhere"), ground.world.path("work/link")).unwrap();
    symlink("/etc/shadow", ground.world.path("work/data/shadow")).unwrap();
    let path = |name: &str| ground.world.path(name).to_str().unwrap().to_owned();
    let (work, data, inner) = (path("work"), path("work/data"), path("work/data/inner"));
    let (odd, other) = (path("work/odd na\nme"), path("elsewhere"));

    #[rustfmt::skip]
    let table: &[(&[&str], &str, &str)] = &[
        // Nothing is shown, and the command starts at home.
        (&[],                              "pwd; ls -A",                          "/home/case\n"),
        (&[],                              &format!("ls {work} 2>&1 | sed 's/.*: //'"), "No such file or directory\n"),
        // Its own place, another one, and one beside the other.
        (&["--read", &data],               &format!("cat {data}/file; ls -A {work}"), "textdata\n"),
        (&["--read", "data:/mnt/data"],    "cat /mnt/data/file; pwd",             "text/home/case\n"),
        (&["--read", "data/file:/mnt/f"],  "cat /mnt/f",                          "text"),
        (&["--read", "."],                 "pwd | wc -l; cat data/file",          "1\ntext"),
        (&["--read", &odd],                &format!("cat '{odd}/file'"),          "odd"),
        // A link inside leads to what is not shown.
        (&["--read", &data],               &format!("cat {data}/shadow 2>&1 | sed 's/.*: //'"), "No such file or directory\n"),
        // Read is read.
        (&["--read", "."],                 "touch x data/x 2>&1 | sed 's/.*: //'", "Read-only file system\nRead-only file system\n"),
        // Below /tmp, where the jail has a directory of its own.
        (&["--read", &format!("{other}:/tmp/other")], "cat /tmp/other/file; touch /tmp/x && echo made", "elsemade\n"),
        // Written inside what is only read, and the other way round.
        (&["--read", &data, "--write", &inner], &format!("echo new >{inner}/out; cat {inner}/out; touch {data}/x 2>&1 | sed 's/.*: //'"), "new\nRead-only file system\n"),
        (&["--write", &data, "--read", &inner], &format!("touch {data}/made; touch {inner}/x 2>&1 | sed 's/.*: //'"), "Read-only file system\n"),
    ];
    for (options, script, want) in table {
        assert_eq!(run(&ground, options, script).said(), *want, "{options:?} {script}");
    }
    assert_eq!(fs::read_to_string(path("work/data/inner/out")).unwrap(), "new\n");
    assert!(Path::new(&path("work/data/made")).exists());

    // A link of somebody's could lead elsewhere by the next moment; one of root's,
    // where nobody else may write, will not.
    let ran = run(&ground, &["--read", "link:/mnt/link"], "cat /mnt/link/file");
    if user == User::Same && am_root() {
        assert_eq!(ran.said(), "else");
    } else {
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        assert!(ran.err.contains("is a link that others can change"), "{}", ran.err);
        assert!(
            ran.err.contains(&format!("hint: Name what it leads to, if that is meant: {other}"))
        );
    }

    let ran = run(&ground, &["--policy", "read-only"], "pwd; touch x");
    assert_eq!(String::from_utf8_lossy(&ran.out).trim(), work);
    assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
}

fn a_place_that_is_not_there_is_refused(user: User) {
    let ground = Ground::new(user, "");
    ground.world.put("work/data/file", "text");
    let data = ground.world.path("work/data").to_str().unwrap().to_owned();
    #[rustfmt::skip]
    let table: &[(&[&str], i32, &str)] = &[
        (&["--read", "missing"],                                 1,   "missing"),
        (&["--read", &data, "--read", &format!("/usr/lib:{data}/new")],  125, "/new"),
        (&["--write", &data, "--read", &format!("/usr/lib:{data}/new")], 125, "/new"),
        (&["--write", &data, "--read", &format!("/usr/lib:{data}/a/b")], 125, "/b"),
        (&["--read", "/usr/lib:/usr/new"],                       125, "/usr/new"),
        (&["--read", &format!("/usr/lib:{data}/file")],          0,   ""),
        (&["--read", "/proc"],                                   1,   "/proc"),
        (&["--read", "/"],                                       1,   "/"),
        (&["--read", "/sys/kernel"],                             1,   "/sys"),
        (&["--read", "data:/proc/x"],                            1,   "/proc/x"),
        (&["--policy", "read-only", "--write", "data"],          1,   "write"),
    ];
    for (options, code, names) in table {
        let before = ground.world.tree();
        let ran = ground.sh(options, "true");
        assert_eq!(ran.status.code(), Some(*code), "{options:?} {}", ran.err);
        assert!(ran.err.contains(names), "{options:?} {}", ran.err);
        assert_eq!(ground.world.tree(), before, "{options:?}");
        assert!(!Path::new("/usr/new").exists());
    }
}

fn the_kernels_own_is_in_no_policy(user: User) {
    let ground = Ground::new(user, "");
    for path in ["/sys", "/sys/kernel", "/sys/fs/cgroup", "/proc", "/proc/1", "/dev", "/"] {
        for strength in ["namespaces", "landlock"] {
            for files in [
                format!("{{read: [{path}]}}"),
                format!("{{mounts: [{{from: {path}, to: {path}, mode: read}}]}}"),
                format!("{{mounts: [{{from: {path}, to: /mnt/x, mode: write}}]}}"),
            ] {
                let policy = format!(
                    "name: mine\nabout: mine\ninclude: [base]\nleast: {strength}\nfiles: {files}\n"
                );
                ground.world.put("sandbox-policy/mine.yaml", policy);
                let ran = ground.sh(&["--policy", "mine"], "echo ran").code(1);
                assert!(ran.out.is_empty() && ran.err.contains(path), "{files}: {}", ran.err);
                let why = ["is the jail's own", "has one of its own or none", "the kernel's own"];
                let told = why.iter().any(|why| ran.err.contains(why));
                assert!(told, "{strength} {files}: {}", ran.err);
            }
        }
    }
}

fn files_belong_to_whom_the_directory_belongs(user: User) {
    let ground = Ground::new(user, "");
    ground.world.put("work/own/file", "text");
    let mut owners = vec![fs::metadata(ground.world.path("work/own")).unwrap().uid()];
    if am_root() && user == User::Same {
        owners.extend([0, 54_322, 65_533]);
    }
    for owner in owners {
        let dir = ground.world.path("work/own");
        for path in [dir.clone(), dir.join("file")] {
            if am_root() {
                chown(path, Some(owner), Some(owner)).unwrap();
            }
        }
        fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
        fs::set_permissions(dir.join("file"), PermissionsExt::from_mode(0o600)).unwrap();
        let script = "cat own/file; stat -c ' %u %a' own; mkdir own/made; echo x >own/made/x; chmod 640 own/made/x; mv own/file own/moved; mv own/moved own/file";
        let ran = ground.sh(
            &["--write", "own"],
            &format!("cd {}; {script}", ground.world.path("work").display()),
        );
        assert_eq!(ran.said(), "text 1000 700\n", "owned by {owner}");
        for name in ["own/made", "own/made/x"] {
            let made = fs::metadata(ground.world.path("work").join(name)).unwrap();
            assert_eq!((made.uid(), made.gid()), (owner, owner), "{name}");
        }
        fs::remove_dir_all(dir.join("made")).unwrap();
    }
}

fn nothing_that_outlives_the_jail_has_rights(user: User) {
    let ground = Ground::new(user, "");
    ground.world.put("work/own/file", "text");
    let own = ground.world.path("work/own");
    let script = "cp /bin/ls x; chmod 4755 x; chmod u+s x; chmod g+s x; chmod 2755 .; chmod 6777 file; \
                  install -m 4755 /bin/ls y; mknod c c 1 3; mknod b b 8 0; \
                  cp -p /bin/ls z; chown 0:0 z; setfattr -n security.capability -v x z; \
                  ln -s /etc/shadow link; umask 0; mkdir -m 6777 d; echo done";
    let ran = ground.sh(&["--write", "own"], &format!("cd {}; {script}", own.display()));
    assert_eq!(String::from_utf8_lossy(&ran.out), "done\n", "{}", ran.err);
    let owner = fs::metadata(&own).unwrap().uid();
    let mut seen = 0;
    for entry in
        fs::read_dir(&own).unwrap().flatten().map(|entry| entry.path()).chain([own.clone()])
    {
        let about = entry.symlink_metadata().unwrap();
        assert_eq!(about.mode() & 0o6000, 0, "{}", entry.display());
        assert_eq!(about.uid(), owner, "{}", entry.display());
        let kind = about.mode() & libc::S_IFMT;
        assert!(
            [libc::S_IFREG, libc::S_IFDIR, libc::S_IFLNK].contains(&kind),
            "{}",
            entry.display()
        );
        seen += 1;
    }
    assert!(4 <= seen, "{}", ran.err);
}
