//! `casefile fork`: two cases begin alike, and each goes on for itself.

use insta::assert_snapshot;

use crate::common::{World, users};
use crate::ground::{checkout, fork, id_in, open, plain, said, shell};

#[test]
fn both_see_the_same_and_each_writes_for_itself() {
    for user in users() {
        let world = World::of(user);
        checkout(&world, "work/app");
        world.put("work/alert.json", "{}\n");
        let first =
            open(&world, &["--repo", "./app", "--title", "Base", "--evidence", "alert.json"]);
        let before = "echo more >> one.txt; rm two.txt; rm -r deep; mkdir new; echo x > new/file; \
                      git commit -qam cure; echo loose > data.bin; echo idea > /case/notes/ideas.md";
        let _ = shell(&world, &first, before).success();
        let forked = world.run(&["fork", &first, "--title", "Another idea"]).success();
        let second = id_in(&forked);
        insta::allow_duplicates! { assert_snapshot!(plain(&forked, &[&second]), @r"
        case       <case 1>
        directory  <world>/state/casefile/cases/<case 1>
        repo       app at 50a43bd49a97: the newest on its branch by then
        next       casefile shell <case 1>
        ") }
        assert!(second.starts_with("another-idea-"), "{second}");

        let look = "git status --short; git log --format=%s; find . -path ./.git -prune -o -print | sort; \
                    cat one.txt data.bin new/file /case/notes/* /case/evidence/*";
        let seen = said(&world, &first, look);
        insta::allow_duplicates! { assert_snapshot!(seen, @r"
         M data.bin
        ?? new/
        cure
        two
        one
        .
        ./.gitignore
        ./data.bin
        ./new
        ./new/file
        ./one.txt
        one
        more
        loose
        x
        idea
        {}
        ") }
        assert_eq!(said(&world, &second, look), seen);

        let _ = shell(
            &world,
            &first,
            "echo first > new/file; rm one.txt; echo 1 > /case/notes/ideas.md",
        )
        .success();
        assert_eq!(said(&world, &second, look), seen);
        let _ = shell(&world, &second, "echo second > new/other; git checkout -q HEAD~1 -- two.txt; git checkout -q HEAD~1 -- deep; rm /case/notes/ideas.md").success();
        let one = said(&world, &first, "git status --short; cat new/file; ls new /case/notes");
        insta::allow_duplicates! { assert_snapshot!(one, @r"
         M data.bin
         D one.txt
        ?? new/
        first
        /case/notes:
        ideas.md

        new:
        file
        ") }
        let two = said(&world, &second, "git status --short; cat new/file; ls . new /case/notes");
        insta::allow_duplicates! { assert_snapshot!(two, @r"
         M data.bin
        A  deep/er/file
        A  two.txt
        ?? new/
        x
        .:
        data.bin
        deep
        new
        one.txt
        two.txt

        /case/notes:

        new:
        file
        other
        ") }

        // A fork of the fork, and one of the first again, which has a layer more.
        for (of, status) in [(&second, two), (&first, one)] {
            let third = fork(&world, of);
            let list = if *of == second { "ls . new /case/notes" } else { "ls new /case/notes" };
            assert_eq!(
                said(&world, &third, &format!("git status --short; cat new/file; {list}")),
                status
            );
            let _ = shell(&world, &third, "rm -rf *; echo gone > only").success();
            assert_eq!(
                said(&world, of, &format!("git status --short; cat new/file; {list}")),
                status
            );
        }
    }
}

#[test]
fn one_that_was_never_written_to_and_one_that_is_closed_can_be_forked() {
    let world = World::new();
    checkout(&world, "work/app");
    let first = open(&world, &["--repo", "./app"]);
    let early = fork(&world, &first);
    assert_eq!(said(&world, &early, "git status --short; cat one.txt"), "one\n");
    let _ = shell(&world, &first, "echo more >> one.txt").success();
    let _ = world.run(&["close", &first]).success();
    let late = fork(&world, &first);
    assert_eq!(said(&world, &late, "git status --short; cat one.txt"), " M one.txt\none\nmore\n");
    let listed = world.run(&["show", &late]).success().stdout;
    assert!(listed.contains(&first), "{listed}");
}

#[test]
fn what_cannot_be_forked_says_why() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    assert_snapshot!(world.run(&["fork", "nope"]), @r"
    --- stderr
    error: there is no case `nope`
    hint: Run `casefile list` to see which cases there are.
    --- exit status: 1
    ");
    assert_snapshot!(plain(&world.run(&["fork", &id, "--title", ""]), &[&id]), @r"
    --- stderr
    error: the title is empty
    hint: Give a title of one line, such as `Checkout answers 5xx`.
    --- exit status: 1
    ");
    let mut command = world.command(&["shell", &id, "--", "cat"]);
    let mut busy = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let refused = loop {
        let refused = world.run(&["fork", &id]);
        if !refused.status.success() {
            break plain(&refused, &[&id]).replace(&busy.id().to_string(), "<pid>");
        }
    };
    let refused: Vec<&str> = refused.lines().filter(|line| !line.starts_with("hint: ")).collect();
    assert!(
        refused.join("\n").contains("error: case `<case 1>` is in use by `casefile shell`"),
        "{refused:?}"
    );
    drop(busy.stdin.take());
    assert!(busy.wait().unwrap().success());
    let _ = world.run(&["fork", &id]).success();
}

#[test]
fn a_case_is_forked_often_and_not_without_end() {
    let world = World::new();
    checkout(&world, "work/app");
    let id = open(&world, &["--repo", "./app"]);
    let mut last = None;
    for nth in 0..200 {
        // As if something had been written each time, which is all that counts.
        let layers = world.state().join("cases").join(&id).join("layers");
        let upper = layers.join(nth.to_string()).join("repos/app/upper");
        std::fs::create_dir_all(&upper).unwrap();
        std::fs::write(upper.join(format!("file-{nth}")), "x").unwrap();
        let forked = world.run(&["fork", &id]);
        if !forked.status.success() {
            last = Some((nth, forked));
            break;
        }
    }
    let (nth, refused) = last.expect("there is no end");
    assert!(40 < nth, "only {nth}");
    assert_snapshot!(plain(&refused, &[&id]), @r"
    --- stderr
    error: case `<case 1>` was forked too often: it lies on 64 layers
    hint: Open a new case, and apply what `casefile diff <case 1>` prints.
    --- exit status: 1
    ");
    // It can still be worked in, and so can its forks.
    let count = said(&world, &id, "ls | grep -c ^file-; git status --short | wc -l");
    assert_eq!(count, format!("{0}\n{0}\n", nth + 1));
}
