//! Each limit is passed by a command that wants to: it is ended or held, its
//! caller is told which limit and by which means, and the next command runs.

use std::fs;
use std::time::Duration;

use crate::Test;
use crate::common::{User, am_root};
use crate::ground::{Ground, Ran, no_orphaned_cgroup};

pub(crate) const TESTS: &[Test] = &[
    ("limits::bombs_are_ended_and_named", bombs_are_ended_and_named),
    ("limits::what_cannot_grow_is_told_so", what_cannot_grow_is_told_so),
    ("limits::memory_of_no_process_is_bounded", memory_of_no_process_is_bounded),
    ("limits::full_scratch_is_full_and_no_more", full_scratch_is_full_and_no_more),
    (
        "limits::the_disk_is_watched_wherever_it_is_hidden",
        the_disk_is_watched_wherever_it_is_hidden,
    ),
    ("limits::output_has_an_end", output_has_an_end),
    (
        "limits::time_runs_out_for_the_stopped_and_the_deaf",
        time_runs_out_for_the_stopped_and_the_deaf,
    ),
    ("limits::a_fork_bomb_of_the_shell_is_contained", a_fork_bomb_of_the_shell_is_contained),
];

/// What a part exits with that was not given what it asked for.
const REFUSED: i32 = 3;

const SMALL: &str = "processes: 64, memory_mib: 96, cpu_s: 20, wall_s: 20, scratch_mib: 16, \
                     output_mib: 4, disk_mib: 24, file_mib: 12, open_files: 128";

/// Killed, with the one error that names the limit.
#[track_caller]
pub(crate) fn ended_at(ran: &Ran, key: &str, value: u64) {
    assert_eq!(ran.status.code(), Some(128 + 9), "{ran:?}");
    let line = format!("error: the command was ended at the limit `{key}` of {value} (held by ");
    // The command may have been ended in the middle of a line of its own.
    let ours = |line: &&str| line.contains("error: the command was ended");
    let errors: Vec<_> = ran.err.lines().filter(ours).collect();
    assert!(errors.len() == 1 && errors[0].contains(&line), "{}", ran.err);
    assert!(ran.err.contains("\nhint: "), "{}", ran.err);
}

/// The proof that the host is as it was: the next command finds nothing.
#[track_caller]
fn the_next_is_fine(ground: &Ground) {
    assert_eq!(
        ground.sh(&[], "ls -A /tmp /dev/shm ~ | tr '\\n' ' '").said(),
        "/dev/shm:  /home/case:  /tmp: "
    );
    no_orphaned_cgroup();
}

fn bombs_are_ended_and_named(user: User) {
    let ground = Ground::new(user, SMALL);
    #[rustfmt::skip]
    let table: &[(&[&str], &str, u64)] = &[
        // part                         ended at         of
        (&["fork"],                     "processes",     64),
        (&["threads"],                  "processes",     64),
        (&["memory-each", "40", "4"],   "memory_mib",    96),
        (&["spin", "0"],                "cpu_s",         1),
        (&["spin", "8"],                "cpu_s",         1),
    ];
    for (words, key, value) in table {
        // The others use up their time too.
        let ground = match *key {
            "cpu_s" => &Ground::new(user, "cpu_s: 1"),
            _ => &ground,
        };
        let ran = ground.finish(ground.part(&[], words));
        println!("{words:?} took {:?}", ran.took);
        ended_at(&ran, key, *value);
        assert!(ran.took < Duration::from_secs(10), "{words:?} took {:?}", ran.took);
        the_next_is_fine(ground);
    }
    // Memory of several processes is counted by a cgroup; where there is none, it
    // cannot be had.
    let ran = ground.finish(ground.part(&[], &["shared-memory"]));
    match ran.status.code() {
        Some(REFUSED) => assert!(user == User::Ordinary || !am_root(), "{ran:?}"),
        _ => ended_at(&ran, "memory_mib", 96),
    }
    // A child of the command goes over, and the command is ended for it.
    let part = ground.part(&[], &[]);
    let part = part.get_args().last().unwrap().to_str().unwrap();
    let ran = ground.sh(&["--read", part], &format!("{part} memory-each 30 8; sleep 100"));
    ended_at(&ran, "memory_mib", 96);
    assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    // Where the kernel counts, it kills the child; it is told even if the command
    // ends at once and in order. An rlimit makes the child fail, which is its own.
    for _ in 0..5 {
        let ran = ground.sh(&["--read", part], &format!("{part} memory; exit 0"));
        // Whether that or the watch comes first is up to the clock.
        let refused = ran.err.contains("memory allocation of") && ran.status.success();
        if (am_root() && user == User::Same) || !refused {
            ended_at(&ran, "memory_mib", 96);
        }
    }
}

fn what_cannot_grow_is_told_so(user: User) {
    let ground = Ground::new(user, SMALL);
    let given = ground.world.path("work").to_str().unwrap().to_owned();
    // One process that wants it all is refused or ended, as the means have it.
    let ran = ground.finish(ground.part(&[], &["memory"]));
    assert!(!ran.status.success(), "{ran:?}");
    the_next_is_fine(&ground);

    let ran = ground.finish(ground.part(&[], &["descriptors", "100000"])).said();
    let open: u32 = ran.split(' ').next().unwrap().parse().unwrap();
    assert!((100..128).contains(&open) && ran.contains("Too many open files"), "{ran}");

    let path = format!("{given}/file");
    let ran = ground.finish(ground.part(&["--write", &given], &["file", &path])).said();
    assert_eq!(ran, "12 MiB, then 12\n");
    fs::remove_file(path).unwrap();

    // And the signal that it means, where it is not ignored.
    let ran = ground.sh(&["--write", "."], "exec dd if=/dev/zero of=file bs=1M count=20");
    assert_eq!(ran.status.code(), Some(128 + libc::SIGXFSZ), "{ran:?}");
    assert!(ran.err.contains("at the limit `file_mib` of 12 (held by rlimit)"), "{}", ran.err);
    assert_eq!(fs::metadata(ground.world.path("work/file")).unwrap().len(), 12 << 20);
}

fn memory_of_no_process_is_bounded(user: User) {
    let ground = Ground::new(user, SMALL);
    for words in [["memfd"], ["shm"]] {
        let ran = ground.finish(ground.part(&["--timeout", "3"], &words));
        let said = String::from_utf8_lossy(&ran.out).into_owned();
        // Counted by a cgroup, or not to be had at all.
        if said.starts_with("refused: ") {
            assert!(said.contains("ENOSYS") || said.contains("EPERM"), "{said}");
        } else {
            ended_at(&ran, "memory_mib", 96);
        }
        the_next_is_fine(&ground);
    }
}

fn full_scratch_is_full_and_no_more(user: User) {
    let ground = Ground::new(user, "memory_mib: 128, scratch_mib: 16");
    let fill = "for dir in /tmp /dev/shm $HOME; do
                    cat /dev/zero 2>/dev/null >$dir/a
                    du -m $dir/a
                done
                for dir in /tmp /dev/shm $HOME; do
                    i=0; while true 2>/dev/null >$dir/f$i; do i=$((i+1)); [ $i -lt 9000 ] || break; done; echo $i
                done";
    let said = ground.sh(&[], fill).said();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[..3], ["16\t/tmp/a", "16\t/dev/shm/a", "16\t/home/case/a"]);
    for count in &lines[3..] {
        assert!(count.parse::<u32>().unwrap() < 4096, "{said}");
    }
    the_next_is_fine(&ground);

    // More room for files in memory than there is memory.
    let ground = Ground::new(user, "memory_mib: 32, scratch_mib: 32");
    let ran = ground
        .sh(&["--timeout", "5"], "cat /dev/zero >/tmp/a; cat /dev/zero >/dev/shm/a; echo full");
    if ran.status.success() {
        assert_eq!(String::from_utf8_lossy(&ran.out), "full\n", "{ran:?}");
    } else {
        ended_at(&ran, "memory_mib", 32);
    }
    the_next_is_fine(&ground);
}

fn the_disk_is_watched_wherever_it_is_hidden(user: User) {
    let ground = Ground::new(user, "disk_mib: 24, wall_s: 15");
    let given = ground.world.path("work/given");
    for words in [vec!["files"], vec!["nameless"], vec!["deep"], vec!["dark"]] {
        ground.world.put("work/given/here", "");
        let dir = given.to_str().unwrap();
        let ran = match words[..] {
            ["deep"] => ground.finish(ground.part(&["--write", dir], &["deep", dir, "300"])),
            ["dark"] => ground.sh(
                &["--write", dir],
                &format!(
                    "cd {dir}; mkdir -p a/b; exec 3>a/b/x; chmod 000 a/b a; while head -c 1000000 /dev/zero >&3; do sleep 0.01; done; sleep 100"
                ),
            ),
            _ => ground.finish(ground.part(&["--write", dir], &[words[0], dir])),
        };
        println!("{words:?} took {:?}", ran.took);
        ended_at(&ran, "disk_mib", 24);
        // What a command writes between two looks is beyond the limit.
        let used = ground.world.program("du").args(["-sm", dir]).output().unwrap();
        let used: u64 =
            String::from_utf8_lossy(&used.stdout).split('\t').next().unwrap().parse().unwrap_or(0);
        assert!(used < 24 + 100, "{words:?}: {used} MiB");
        let _ = ground.world.program("chmod").args(["-R", "u+rwx", dir]).output();
        fs::remove_dir_all(dir).unwrap();
    }
    the_next_is_fine(&ground);
}

fn output_has_an_end(user: User) {
    let ground = Ground::new(user, SMALL);
    for script in [
        "yes",
        "exec cat /dev/zero",
        "yes >&2",
        "yes & yes >&2; wait",
        "trap '' PIPE TERM; while :; do echo y; done",
    ] {
        let ran = ground.sh(&[], script);
        ended_at(&ran, "output_mib", 4);
        let printed = ran.out.len() + ran.err.len();
        assert!(
            ((4 << 20) - (128 << 10)..(4 << 20) + (256 << 10)).contains(&printed),
            "{script}: {printed}"
        );
    }
    // Passed in the last breath of a command that ends by itself.
    let ran = ground.sh(&[], "head -c 4300000 /dev/zero");
    ended_at(&ran, "output_mib", 4);
    // As much as is allowed is allowed.
    let ran = ground.sh(&[], "head -c 4194304 /dev/zero");
    assert_eq!((ran.status.code(), ran.out.len(), ran.err.as_str()), (Some(0), 4 << 20, ""));
}

fn time_runs_out_for_the_stopped_and_the_deaf(user: User) {
    let ground = Ground::new(user, "wall_s: 1");
    let stop = libc::SIGSTOP.to_string();
    for words in [vec!["deaf"], vec!["signal", &stop], vec!["brood", "20"]] {
        let ran = ground.finish(ground.part(&[], &words));
        ended_at(&ran, "wall_s", 1);
        assert!(ran.took < Duration::from_secs(3), "{words:?} took {:?}", ran.took);
    }
    let ran = ground.sh(&["--timeout", "2"], "sleep 100");
    ended_at(&ran, "wall_s", 2);
    assert!(ran.err.contains("--timeout"), "{}", ran.err);
}

fn a_fork_bomb_of_the_shell_is_contained(user: User) {
    let ground = Ground::new(user, SMALL);
    let ran = ground.sh(&["--timeout", "3"], "f() { f | f & }; f; sleep 100");
    assert_eq!(ran.status.code(), Some(128 + 9), "{ran:?}");
    assert!(
        ran.err.contains("`processes` of 64") || ran.err.contains("`wall_s` of 3"),
        "{}",
        ran.err
    );
    the_next_is_fine(&ground);
}
