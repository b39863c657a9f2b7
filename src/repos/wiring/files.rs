//! The small files of a `.git`.

use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Wires, WiringError, open_to_all};
use crate::disk::{self, DiskError};

/// Writes all of them but the index.
pub(super) fn write(git: &Path, wires: &Wires) -> Result<(), WiringError> {
    for dir in ["", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"] {
        let dir = git.join(dir);
        disk::directory(&dir)?;
        open_to_all(&dir)?;
    }
    let put = |name: &str, bytes: &[u8]| {
        let path = git.join(name);
        fs::write(&path, bytes).map_err(DiskError::io("write", &path))
    };
    put("HEAD", format!("{}\n", wires.head).as_bytes())?;
    put("config", config(wires)?.as_bytes())?;
    put("packed-refs", packed_refs(wires)?.as_bytes())?;
    let mut alternates = Vec::new();
    for dir in &wires.objects {
        one_line(&dir.to_string_lossy())?;
        alternates.extend_from_slice(dir.as_os_str().as_bytes());
        alternates.push(b'\n');
    }
    put("objects/info/alternates", &alternates)?;
    if !wires.shallow.is_empty() {
        let mut ids: Vec<&str> = wires.shallow.iter().map(|id| id.as_str()).collect();
        ids.sort_unstable();
        put("shallow", (ids.join("\n") + "\n").as_bytes())?;
    }
    Ok(())
}

/// `trustctime`: a link to the index's files changes their ctime. `gc`, `maintenance`:
/// all objects are in the mirror, which a world cannot write. `autocrlf`: the tree was
/// written without. `user`: git commits for nobody that it has no name of, and what an
/// agent wrote should not bear a person's. `submodule`: those that are there count.
fn config(wires: &Wires) -> Result<String, WiringError> {
    let mut text = String::from(
        "[core]\n\
         \trepositoryformatversion = 0\n\
         \tfilemode = true\n\
         \tbare = false\n\
         \tlogallrefupdates = true\n\
         \tautocrlf = false\n\
         \ttrustctime = false\n\
         \tuntrackedCache = true\n",
    );
    if let Some(changed) = &wires.changed {
        let changed = quoted(&changed.to_string_lossy())?;
        text += &format!("\tfsmonitor = {changed}\n\tfsmonitorHookVersion = 2\n");
    }
    // An index as large as the tree is written often, and nobody checks its digest.
    text += "[index]\n\tskipHash = true\n";
    text += "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[advice]\n\tdetachedHead = false\n\
             [user]\n\tname = casefile\n\temail = casefile@localhost\n[submodule]\n\tactive = .\n";
    if let Some(origin) = &wires.origin {
        let origin = quoted(origin)?;
        text += &format!(
            "[remote \"origin\"]\n\turl = {origin}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
        );
    }
    Ok(text)
}

/// A value as git's configuration has it.
fn quoted(text: &str) -> Result<String, WiringError> {
    Ok(format!("\"{}\"", one_line(text)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

fn packed_refs(wires: &Wires) -> Result<String, WiringError> {
    let mut refs: Vec<_> = wires.refs.iter().collect();
    refs.sort();
    let mut text = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    for (name, id, peeled) in refs {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{id} {}", one_line(name)?);
        if let Some(peeled) = peeled {
            let _ = writeln!(text, "^{peeled}");
        }
    }
    Ok(text)
}

fn one_line(text: &str) -> Result<&str, WiringError> {
    if text.contains(['\n', '\r', '\0']) {
        return Err(WiringError::LineBreak { text: text.into() });
    }
    Ok(text)
}
