//! What comes from outside: Node and its packages, Python and its. Where they are is told by
//! the environment, since no test downloads anything.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::common::World;

/// The value of a variable without which none of this can be tried.
fn told(name: &str) -> PathBuf {
    let told = std::env::var_os(name);
    told.unwrap_or_else(|| panic!("this test needs {name}; see CONTRIBUTING.md")).into()
}

/// A Node that is new enough.
pub(crate) fn node_program() -> PathBuf {
    told("CASEFILE_NODE")
}

/// Where npm has installed packages.
pub(crate) fn node_packages() -> PathBuf {
    told("CASEFILE_NODE_PACKAGES")
}

/// A file of such a package.
pub(crate) fn package(path: &str) -> PathBuf {
    node_packages().join("node_modules").join(path)
}

/// A Python that has the SDK.
pub(crate) fn python() -> PathBuf {
    told("CASEFILE_PYTHON")
}

/// Node, in the working directory of a world.
pub(crate) fn node(world: &World) -> Command {
    world.program(node_program())
}

/// A token that opens all of a world's cases.
pub(crate) fn token(world: &World) -> String {
    let outcome = world.run(&["token", "create", "a-client"]).success();
    outcome.stdout.split_whitespace().last().unwrap().to_owned()
}

/// `casefile serve`, as long as this is held.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
}

impl Serving {
    pub(crate) fn start(world: &World) -> Self {
        let mut command = world.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        // What else it says is not held up.
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
        Self { child, url: url.to_owned() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
