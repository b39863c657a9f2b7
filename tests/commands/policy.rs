//! `casefile policy`: what jails allow, and who says so.

use insta::assert_snapshot;

use crate::common::World;

const MINE: &str = "\
name: mine
about: logs of the checkout service
include: [offline]
workdir: write
files:
  read: [/opt/tools]
  mounts:
    - {from: /var/log/checkout, to: /case/evidence/logs, mode: read}
limits: {wall_s: 60}
env: {pass: [CHECKOUT_REGION]}
commands:
  - prefix: [terraform, apply]
    verdict: refuse
    why: infrastructure is changed by its pipeline; propose the change instead
    matches: [terraform apply -auto-approve]
    misses: [terraform plan]
";

fn with_mine() -> World {
    World::new()
        .file("work/casefile.yaml", "policy: mine\nlimits: {wall_s: 90, disk_mib: 100}\n")
        .file("work/sandbox-policy/mine.yaml", MINE)
}

/// Columns are as wide as their widest cell, and a path of this world is as long
/// as it happens to be.
fn squeezed(page: &str) -> String {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        format!("{}{}", " ".repeat(indent), line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    page.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_policies_are_listed_and_the_one_that_is_set_is_marked() {
    let world = with_mine();
    assert_snapshot!(squeezed(&world.run(&["policy", "list"]).success().stdout), @"
    landlock-only as offline, with Landlock, seccomp and limits alone built-in/landlock-only.yaml
    mine * logs of the checkout service <world>/work/sandbox-policy/mine.yaml
    offline investigate without a network; the default built-in/offline.yaml
    open-network the host's own network, and files as in offline built-in/open-network.yaml
    read-only look at the current directory, write nothing that stays built-in/read-only.yaml
    ");
    let outcome = world.run(&["policy", "list", "--json"]).success();
    let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_snapshot!(answer[1], @r#"{"about":"logs of the checkout service","broken":null,"file":"<world>/work/sandbox-policy/mine.yaml","name":"mine","set":true}"#);
}

#[test]
fn a_broken_policy_is_listed_as_broken_and_the_others_are_still_there() {
    let world = with_mine().file("work/sandbox-policy/mine.yaml", "name: mine\nabuot: x\n");
    let outcome = world.run(&["policy", "list"]).success();
    assert_eq!(outcome.stdout.lines().count(), 5, "{outcome}");
    let broken: Vec<&str> =
        outcome.stdout.lines().filter(|line| line.contains("broken: ")).collect();
    assert_snapshot!(squeezed(&broken.join("\n")), @"mine * broken: <world>/work/sandbox-policy/mine.yaml:2:1: unknown key `abuot` <world>/work/sandbox-policy/mine.yaml");
    assert_snapshot!(world.run(&["policy", "show", "mine"]), @"
    --- stderr
    error: <world>/work/sandbox-policy/mine.yaml:2:1: unknown key `abuot`
    hint: Did you mean `about`?
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["config", "check"]), @"
    --- stderr
    error: <world>/work/sandbox-policy/mine.yaml:2:1: unknown key `abuot`
    hint: Did you mean `about`?
    --- exit status: 1
    ");
    let answer = world.run(&["policy", "list", "--json"]).success().stdout;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer[1]["about"], serde_json::Value::Null);
    assert_eq!(
        answer[1]["broken"],
        "<world>/work/sandbox-policy/mine.yaml:2:1: unknown key `abuot`"
    );
}

#[test]
fn a_policy_is_shown_as_it_holds_with_the_line_that_gave_each_value() {
    let world = with_mine();
    let page = squeezed(&world.run(&["policy", "show", "mine"]).success().stdout);
    let from_base = |line: &&str| !line.contains("built-in/base.yaml");
    assert_snapshot!(page.lines().filter(from_base).collect::<Vec<_>>().join("\n"), @"
    # mine: logs of the checkout service
    # made of base, offline, mine
    least: namespaces # built-in/offline.yaml:7
    workdir: write # <world>/work/sandbox-policy/mine.yaml:4
    network: none # built-in/offline.yaml:13
    local_sockets: false # default
    grants:
      read: true # default
      write: true # default
    files:
      read:
        - /opt/tools # <world>/work/sandbox-policy/mine.yaml:6
      mounts:
        - {from: /var/log/checkout, to: /case/evidence/logs, mode: read} # <world>/work/sandbox-policy/mine.yaml:8
    limits:
      memory_mib: 2048 # default
      processes: 256 # default
      cpu_s: 600 # default
      wall_s: 60 # <world>/work/sandbox-policy/mine.yaml:9
      session_s: 28800 # default
      open_files: 1024 # default
      file_mib: 2048 # default
      disk_mib: 100 # <world>/work/casefile.yaml:2
      scratch_mib: 512 # default
      output_mib: 64 # default
      outputs_mib: 4096 # default
      shown_chars: 8000 # default
    env:
      pass:
        - CHECKOUT_REGION # <world>/work/sandbox-policy/mine.yaml:10
      set:
    commands:
      - {prefix: [terraform, apply], verdict: refuse, why: infrastructure is changed by its pipeline; propose the change instead} # <world>/work/sandbox-policy/mine.yaml:12
    ");
    assert!(
        page.lines().filter(|line| line.contains("built-in/base.yaml:")).count() > 20,
        "{page}"
    );
}

#[test]
fn two_policies_are_told_apart() {
    let world = with_mine();
    assert_snapshot!(squeezed(&world.run(&["policy", "diff", "offline", "mine"]).success().stdout), @"
    - workdir: hidden # built-in/offline.yaml:10
    - limits wall_s: 90 # <world>/work/casefile.yaml:2
    + workdir: write # <world>/work/sandbox-policy/mine.yaml:4
    + files read - /opt/tools # <world>/work/sandbox-policy/mine.yaml:6
    + files mounts - {from: /var/log/checkout, to: /case/evidence/logs, mode: read} # <world>/work/sandbox-policy/mine.yaml:8
    + limits wall_s: 60 # <world>/work/sandbox-policy/mine.yaml:9
    + env pass - CHECKOUT_REGION # <world>/work/sandbox-policy/mine.yaml:10
    + commands - {prefix: [terraform, apply], verdict: refuse, why: infrastructure is changed by its pipeline; propose the change instead} # <world>/work/sandbox-policy/mine.yaml:12
    ");
    assert_snapshot!(world.run(&["policy", "diff", "mine", "mine"]), @"");
    assert_snapshot!(world.run(&["policy", "diff", "mine", "ofline"]), @"
    --- stderr
    error: there is no policy `ofline`
    hint: Did you mean `offline`?
    --- exit status: 1
    ");
}

#[test]
fn a_file_is_checked_before_it_is_needed() {
    let world = with_mine();
    assert_snapshot!(world.run(&["policy", "check", "sandbox-policy/mine.yaml"]), @"sandbox-policy/mine.yaml is good: logs of the checkout service");
    world.put("work/sandbox-policy/next.yaml", "name: next\nabout: more\ninclude: [mine, bsae]\n");
    assert_snapshot!(world.run(&["policy", "check", "sandbox-policy/next.yaml"]), @"
    --- stderr
    error: sandbox-policy/next.yaml:3:17: there is no policy `bsae`
    hint: Did you mean `base`?
    --- exit status: 1
    ");
    world.put(
        "work/sandbox-policy/next.yaml",
        MINE.replace("name: mine", "name: next")
            .replace("[terraform plan]", "[/usr/bin/terraform apply]"),
    );
    assert_snapshot!(world.run(&["policy", "check", "sandbox-policy/next.yaml"]), @"
    --- stderr
    error: sandbox-policy/next.yaml:16:14: `/usr/bin/terraform apply` should miss, and begins with `terraform apply`
    hint: Mend the rule, or the example.
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["policy", "check", "sandbox-policy"]), @"
    --- stderr
    error: sandbox-policy: this is a directory, and YAML is read from files
    --- exit status: 1
    ");
    // It does not matter what is set here.
    world.put("work/casefile.yaml", "broken");
    let _ = world.run(&["policy", "check", "sandbox-policy/mine.yaml"]).success();
}

#[test]
fn a_path_or_a_command_is_traced_to_the_line_that_decides() {
    let world = with_mine();
    let why = |args: &[&str]| {
        let words = [&["policy", "why"], args].concat();
        world.run(&words).to_string()
    };
    let told: Vec<String> = [
        &["/usr/bin/git"][..],
        &["/case/evidence/logs/today.log"],
        &["/etc/shadow"],
        &["/proc/1/environ"],
        &["src/main.rs"],
        &["/srv/x", "--policy", "offline"],
        &["src/main.rs", "--policy", "offline", "--read", "."],
        &["/data/x", "--write", "out:/data"],
        &["--", "git", "push"],
        &["--", "terraform", "apply", "-lock=false"],
        &["--", "terraform", "apply", "--policy", "offline"],
        &["--policy", "offline", "--", "terraform", "apply"],
    ]
    .into_iter()
    .map(why)
    .collect();
    assert_snapshot!(told.concat(), @"
    /usr/bin/git is read-only: the host's /usr/bin/git, by built-in/base.yaml:10
    /case/evidence/logs/today.log is read-only: the host's /var/log/checkout/today.log, by <world>/work/sandbox-policy/mine.yaml:8
    /etc/shadow is hidden: nothing in `mine` shows it
    /proc/1/environ is the jail's own: /proc holds nothing of the host's
    src/main.rs is writable: the host's <world>/work/src/main.rs, by workdir, <world>/work/sandbox-policy/mine.yaml:4
    /srv/x is hidden: nothing in `offline` shows it
    src/main.rs is read-only: the host's <world>/work/src/main.rs, by --read
    /data/x is writable: the host's <world>/work/out/x, by --write
    `git push` is refused: publishing is a person's decision; leave a branch and say so instead
      by `git push`, built-in/base.yaml:52
    `terraform apply -lock=false` is refused: infrastructure is changed by its pipeline; propose the change instead
      by `terraform apply`, <world>/work/sandbox-policy/mine.yaml:12
    `terraform apply --policy offline` is refused: infrastructure is changed by its pipeline; propose the change instead
      by `terraform apply`, <world>/work/sandbox-policy/mine.yaml:12
    `terraform apply` may run: no rule in `offline` is against it
    ");
    assert_snapshot!(why(&["x", "--policy", "read-only", "--write", "."]), @"
    --- stderr
    error: the policy `read-only` does not grant `--write` (built-in/read-only.yaml:10)
    hint: Leave the flag out, or name a policy that grants it with `--policy`.
    --- exit status: 1
    ");
    assert_snapshot!(why(&["x", "--policy", "base"]), @"
    --- stderr
    error: the policy `base` is only there to be included
    hint: Name a policy that includes it.
    --- exit status: 1
    ");
    assert_snapshot!(why(&["x", "--read", "/proc"]), @"
    --- stderr
    error: `/proc` is the jail's own: it makes one for itself
    hint: Name the files or directories below `/` that are needed.
    --- exit status: 1
    ");
    assert_eq!(world.run(&["policy", "why"]).status.code(), Some(2));
    assert_eq!(world.run(&["policy", "why", "x", "--", "y"]).status.code(), Some(2));
}

#[test]
fn a_policy_that_is_set_and_cannot_be_had_is_pointed_at() {
    let world = World::new().file("work/casefile.yaml", "# mine\npolicy: ofline\n");
    assert_snapshot!(world.run(&["config", "check"]), @"
    --- stderr
    error: <world>/work/casefile.yaml:2:9: there is no policy `ofline`
    hint: Did you mean `offline`?
    --- exit status: 1
    ");
    assert_snapshot!(world.run(&["policy", "why", "--", "ls"]), @"
    --- stderr
    error: there is no policy `ofline`
    hint: Did you mean `offline`?
    --- exit status: 1
    ");
}
