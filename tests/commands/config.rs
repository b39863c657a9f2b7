//! `casefile config`: what holds, what is wrong, and a file to begin with.

use insta::assert_snapshot;

use crate::common::World;

/// The first rows of a table, a bar between columns: how wide one is depends on
/// where the world lies.
fn columns(table: &str, rows: usize) -> String {
    let row = |line: &str| {
        let cells: Vec<&str> =
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        cells.join(" | ")
    };
    table.lines().take(rows).map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn with_no_file_everything_is_at_its_default() {
    let world = World::new();
    assert_snapshot!(columns(&world.run(&["config", "show"]).success().stdout, 14), @"
    home | <world>/state/casefile | default
    policy | offline | default
    deploys | (none) | default
    environment | (none) | default
    limits.memory_mib | 2048 | default
    limits.processes | 256 | default
    limits.cpu_s | 600 | default
    limits.wall_s | 280 | default
    limits.session_s | 28800 | default
    limits.open_files | 1024 | default
    limits.file_mib | 2048 | default
    limits.disk_mib | 4096 | default
    limits.scratch_mib | 512 | default
    limits.output_mib | 64 | default
    ");
    assert_snapshot!(world.run(&["config", "check"]), @"there is no casefile.yaml: every setting is at its default");
}

#[test]
fn every_value_says_where_it_came_from() {
    let world = World::new()
        .file("work/casefile.yaml", "home: cases\nlimits:\n  wall_s: 60\n")
        .file("home/.config/casefile/casefile.yaml", "policy: read-only\n");
    assert_snapshot!(columns(&world.run(&["config", "show"]).success().stdout, 14), @"
    home | <world>/work/cases | <world>/work/casefile.yaml:1
    policy | offline | default
    deploys | (none) | default
    environment | (none) | default
    limits.memory_mib | 2048 | default
    limits.processes | 256 | default
    limits.cpu_s | 600 | default
    limits.wall_s | 60 | <world>/work/casefile.yaml:3
    limits.session_s | 28800 | default
    limits.open_files | 1024 | default
    limits.file_mib | 2048 | default
    limits.disk_mib | 4096 | default
    limits.scratch_mib | 512 | default
    limits.output_mib | 64 | default
    ");

    let mut command = world.command(&["config", "show"]);
    command.env("CASEFILE_HOME", "elsewhere");
    let outcome = world.finish(command).success();
    assert_snapshot!(columns(&outcome.stdout, 1), @"home | <world>/work/elsewhere | $CASEFILE_HOME");

    // A subdirectory sees the same file, and an outsider the user's own.
    std::fs::create_dir_all(world.path("work/deep/er")).unwrap();
    for (directory, want) in [("work/deep/er", "limits.wall_s"), ("state", "policy ")] {
        let mut command = world.command(&["config", "show"]);
        command.current_dir(world.path(directory));
        let outcome = world.finish(command).success();
        let from_file = |line: &&str| line.starts_with(want) && line.contains("casefile.yaml:");
        assert_eq!(outcome.stdout.lines().filter(from_file).count(), 1, "{outcome:?}");
    }
}

#[test]
fn a_program_can_read_the_answer() {
    let world = World::new().file("work/casefile.yaml", "policy: read-only\n");
    let outcome = world.run(&["config", "show", "--json"]).success();
    let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(answer["file"], "<world>/work/casefile.yaml");
    assert_eq!(answer["policy_dir"], "<world>/work/sandbox-policy");
    assert_snapshot!(answer["settings"][1], @r#"{"key":"policy","source":{"column":9,"file":"<world>/work/casefile.yaml","from":"file","line":1},"value":"read-only"}"#);
    assert_snapshot!(answer["settings"][4], @r#"{"key":"limits.memory_mib","source":{"from":"default"},"value":2048}"#);
}

#[test]
fn one_file_can_be_named_instead_of_searched_for() {
    let world = World::new()
        .file("work/casefile.yaml", "not even yaml: [\n")
        .file("work/other/mine.yaml", "home: ~/cases\npolicy: mine\n");
    let outcome = world.run(&["--config", "other/mine.yaml", "config", "show"]).success();
    assert_snapshot!(columns(&outcome.stdout, 2), @"
    home | <world>/home/cases | <world>/work/other/mine.yaml:1
    policy | mine | <world>/work/other/mine.yaml:2
    ");
    let after = world.run(&["config", "show", "--config", "other/mine.yaml"]).success();
    assert_eq!(after.stdout, outcome.stdout);
    assert_snapshot!(world.run(&["--config", "gone.yaml", "config", "show"]), @"
    --- stderr
    error: <world>/work/gone.yaml: there is no such file
    cause: No such file or directory (os error 2)
    hint: Correct the path.
    --- exit status: 1
    ");
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_the_way_out() {
    let world = World::new().file("work/casefile.yaml", "home: ~/cases\nlimits:\n  walls: 5\n");
    assert_snapshot!(world.run(&["config", "check"]), @"
    --- stderr
    error: <world>/work/casefile.yaml:3:3: unknown key `walls`
    hint: Did you mean `wall_s`?
    --- exit status: 1
    ");
    world.put("work/casefile.yaml", "polcy: offline\n");
    assert_snapshot!(world.run(&["config", "show"]), @"
    --- stderr
    error: <world>/work/casefile.yaml:1:1: unknown key `polcy`
    hint: Did you mean `policy`?
    --- exit status: 1
    ");
    world.put("work/casefile.yaml", "limits: {memory_mib: 4}\n");
    assert_snapshot!(world.run(&["config", "check", "casefile.yaml"]), @"
    --- stderr
    error: casefile.yaml:1:22: `memory_mib` must be from 16 to 1048576, not 4
    --- exit status: 1
    ");
}

#[test]
fn a_file_to_begin_with_is_good_and_is_never_written_over_another() {
    let world = World::new();
    let before = world.run(&["config", "show"]).success();
    assert_snapshot!(world.run(&["config", "init"]), @"wrote <world>/work/casefile.yaml");
    assert_snapshot!(world.run(&["config", "check"]), @"<world>/work/casefile.yaml is good");
    assert_eq!(
        std::fs::read_to_string(world.path("work/casefile.yaml")).unwrap(),
        casefile::config::template()
    );

    let values = |text: &str| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    let after = world.run(&["config", "show"]).success();
    assert_eq!(values(&after.stdout), values(&before.stdout));

    world.put("work/casefile.yaml", "policy: mine\n");
    assert_snapshot!(world.run(&["config", "init"]), @"
    --- stderr
    error: `<world>/work/casefile.yaml` exists already
    hint: Pass `--force` to replace it.
    --- exit status: 1
    ");
    assert_eq!(
        std::fs::read_to_string(world.path("work/casefile.yaml")).unwrap(),
        "policy: mine\n"
    );
    assert_snapshot!(world.run(&["config", "init", "--force"]), @"wrote <world>/work/casefile.yaml");
    assert_eq!(
        std::fs::read_to_string(world.path("work/casefile.yaml")).unwrap(),
        casefile::config::template()
    );
}
