//! What anybody sees first: help, version, completions, and a wrong word.

use crate::common::World;

#[test]
fn version_is_one_line_and_touches_nothing() {
    let world = World::new();
    let before = world.tree();
    let outcome = world.run(&["--version"]).success();
    assert_eq!(outcome.to_string(), format!("casefile {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(world.tree(), before);
}

#[test]
fn a_wrong_word_is_bad_usage() {
    let outcome = World::new().run(&["opne"]).code(2);
    assert!(outcome.stderr.starts_with("error: unrecognized subcommand 'opne'"), "{outcome}");
}

#[test]
fn every_shell_gets_a_completion_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = World::new().run(&["completions", shell]).success();
        assert!(outcome.stdout.contains("casefile"), "{shell}: {outcome}");
    }
}
