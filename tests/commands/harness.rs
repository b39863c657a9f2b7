//! The harness itself: what it shows of a failure, and that it can fail.

use crate::common::World;

#[test]
fn a_failure_shows_the_command_and_no_more_of_the_directory_than_somebody_reads() {
    let world = World::new();
    for nth in 0..300 {
        world.put(&format!("work/deep/{nth:03}"), "");
    }
    let outcome = world.run(&["opne"]);
    let shown = format!("{outcome:?}");
    assert!(shown.contains("\"opne\"") && shown.contains("    deep/\n      000\n"), "{shown}");
    assert!(shown.ends_with("... (only the first 200 lines are listed)\n"), "{shown}");
    assert!(shown.lines().count() < 220, "{shown}");
    assert!(world.tree().contains("\n      299\n"), "the tree itself must be whole");

    let missed = std::panic::catch_unwind(|| drop(outcome.success()));
    assert!(missed.is_err(), "a failed command passed for a success");
}
