//! Attempts on files: those outside, those that are shown to be read, and what
//! could be planted among those that may be changed.

use super::Attempt;
use super::Control::{Anybody, Root, SomeKernels};

#[rustfmt::skip]
pub(super) const LIST: &[Attempt] = &[
    // What has to work, or the rest proves nothing.
    Attempt::works("read-shown", "read {shown}/file", "read a file that is shown"),
    Attempt::works("append-own", "append {work}/file", "change a file in a writable directory"),
    Attempt::works("create-own", "create {work}/new", "make a file there"),
    Attempt::works("change-own-mode", "chmod {work}/file 0o700", "set its mode"),
    Attempt::works("run-own-program", "script {work}/script", "make a program there and run it"),

    // Seeing what is outside.
    Attempt::refused("read-outside", "read {outside}/secret", Anybody, "read a file outside"),
    Attempt::refused("read-outside-climbing", "read {work}/../outside/secret", Anybody, "climb to it with `..`"),
    Attempt::refused("read-outside-symlink", "read-symlink {outside}/secret {work}/planted", Anybody, "follow one's own symlink to it"),
    Attempt::refused("read-outside-shown-symlink", "read {shown}/link", Anybody, "follow a symlink that is shown"),
    Attempt::refused("read-outside-hard-link", "read-link {outside}/secret {work}/planted", Anybody, "give it another name inside"),
    Attempt::refused("read-outside-self-root", "read /proc/self/root{outside}/secret", Anybody, "go there by /proc/self/root"),
    Attempt::refused("read-outside-self-cwd", "read /proc/self/cwd/../outside/secret", Anybody, "go there by /proc/self/cwd"),
    Attempt::refused("read-outside-init-root", "read /proc/1/root{outside}/secret", Root, "go there by /proc/1/root"),
    Attempt::refused("read-outside-process-root", "read /proc/{pid}/root{outside}/secret", Anybody, "go there by a host process's root"),
    Attempt::refused("read-outside-process-cwd", "read /proc/{pid}/cwd/secret", Anybody, "go there by its working directory"),
    Attempt::refused("read-outside-path-only", "read-by-path-only {outside}/secret", Anybody, "open it as a mere path, and that again"),
    Attempt::refused("read-outside-handle", "handle {shown} {handle-kind} {handle}", Root, "open it by its number in the filesystem"),
    Attempt::refused("read-outside-descriptor", "descriptor {descriptor} secret", Anybody, "open it beneath a descriptor that was left open"),
    Attempt::refused("read-shared-memory-file", "read {memory-file}", Anybody, "read a file in the host's /dev/shm"),
    Attempt::refused("read-temporary-file", "read {temporary-file}", Anybody, "read a file in the host's /tmp"),
    Attempt::refused("read-passwords", "read /etc/shadow", Root, "read the host's passwords"),
    Attempt::refused("list-outside", "list {outside}", Anybody, "list a directory outside"),
    Attempt::refused("stat-outside", "stat {outside}/secret", Anybody, "see that a file is there, and its size"),
    Attempt::refused("read-link-outside", "readlink {outside}/link", Anybody, "see where a link outside leads"),
    Attempt::refused("enter-outside", "chdir {outside}", Anybody, "make it the working directory"),
    Attempt::refused("watch-outside", "watch {outside}/secret", Anybody, "be told what others do to a file"),

    // Changing what is outside.
    Attempt::traced("append-outside", "append {outside}/secret", Anybody, "add to a file outside"),
    Attempt::traced("append-outside-symlink", "append-symlink {outside}/secret {work}/planted", Anybody, "add to it through a symlink"),
    Attempt::traced("append-outside-hard-link", "append-link {outside}/secret {work}/planted", Anybody, "add to it under another name"),
    Attempt::traced("create-outside", "create {outside}/planted", Anybody, "make a file outside"),
    Attempt::traced("mkdir-outside", "mkdir {outside}/planted", Anybody, "make a directory outside"),
    Attempt::traced("symlink-outside", "symlink / {outside}/planted", Anybody, "make a symlink outside"),
    Attempt::traced("unlink-outside", "unlink {outside}/other", Anybody, "remove a file outside"),
    Attempt::traced("rmdir-outside", "rmdir {outside}/empty", Anybody, "remove a directory outside"),
    Attempt::traced("move-out", "rename {work}/file {outside}/planted", Anybody, "move a file out"),
    Attempt::traced("move-in", "rename {outside}/other {work}/planted", Anybody, "move a file in"),
    Attempt::traced("link-out", "link {work}/file {outside}/planted", Anybody, "link a file out"),
    Attempt::traced("truncate-outside", "truncate {outside}/secret", Anybody, "cut a file outside short"),
    Attempt::traced("chmod-outside", "chmod {outside}/secret 0o666", Anybody, "change its mode"),
    Attempt::traced("fchmod-outside", "fchmod {outside}/secret 0o666", Anybody, "change its mode by a descriptor"),
    Attempt::traced("chgrp-outside", "chgrp-same {outside}/secret", Anybody, "change its group"),
    Attempt::traced("utime-outside", "utime {outside}/secret", Anybody, "change its times"),
    Attempt::traced("attribute-outside", "setxattr {outside}/secret user.casefile", SomeKernels, "give it an attribute"),

    // Changing what is shown to be read.
    Attempt::traced("append-shown", "append {shown}/file", Anybody, "add to a file that is shown to be read"),
    Attempt::traced("append-shown-symlink", "append-symlink {shown}/file {work}/planted", Anybody, "add to it through a symlink"),
    Attempt::traced("append-shown-hard-link", "append-link {shown}/file {work}/planted", Anybody, "add to it under another name"),
    Attempt::traced("append-shown-reopened", "reopen {shown}/file", Anybody, "open it again for writing by /proc/self/fd"),
    Attempt::traced("create-shown", "create {shown}/planted", Anybody, "make a file beside it"),
    Attempt::traced("mkdir-shown", "mkdir {shown}/planted", Anybody, "make a directory beside it"),
    Attempt::traced("unlink-shown", "unlink {shown}/file", Anybody, "remove it"),
    Attempt::traced("replace-shown", "rename {work}/file {shown}/file", Anybody, "put another in its place"),
    Attempt::traced("move-shown", "rename {shown}/file {work}/planted", Anybody, "move it away"),
    Attempt::traced("truncate-shown", "truncate {shown}/file", Anybody, "cut it short"),
    Attempt::traced("chmod-shown", "chmod {shown}/file 0o666", Anybody, "change its mode"),
    Attempt::traced("fchmod-shown", "fchmod {shown}/file 0o666", Anybody, "change its mode by a descriptor"),
    Attempt::traced("chgrp-shown", "chgrp-same {shown}/file", Anybody, "change its group"),
    Attempt::traced("utime-shown", "utime {shown}/file", Anybody, "change its times"),
    Attempt::traced("attribute-shown", "setxattr {shown}/file user.casefile", SomeKernels, "give it an attribute"),

    // Making programs of the host wait, or taking its disk at once.
    Attempt::refused("lease", "lease {work}/file", Anybody, "have whoever opens a file wait (F_SETLEASE)"),
    Attempt::refused("notice", "notice {work}", Anybody, "be signalled for changes in a directory (F_NOTIFY)"),
    Attempt::refused("reserve", "reserve {work}/file", SomeKernels, "take room without writing, past the limit on files"),
    Attempt::refused("reserve-by-request", "reserve-by-request {work}/file", SomeKernels, "the same by an older way"),

    // Planting what outlives the jail in a directory that may be changed.
    Attempt::traced("set-uid-chmod", "chmod {work}/file 0o4755", Anybody, "plant a set-uid file by chmod"),
    Attempt::traced("set-gid-chmod", "chmod {work}/file 0o2755", Anybody, "plant a set-gid file by chmod"),
    Attempt::traced("set-uid-fchmod", "fchmod {work}/file 0o4755", Anybody, "the same by fchmod"),
    Attempt::traced("set-uid-fchmodat2", "fchmodat2 {work}/file 0o4755", SomeKernels, "the same by fchmodat2"),
    Attempt::traced("set-uid-open", "open-mode {work}/planted 0o4755", Anybody, "the same by open"),
    #[cfg(target_arch = "x86_64")]
    Attempt::traced("set-uid-creat", "creat-mode {work}/planted 0o4755", Anybody, "the same by creat"),
    Attempt::traced("set-uid-mknod", "mknod-mode {work}/planted 0o4755", Anybody, "the same by mknod"),
    Attempt::refused("file-capability", "setxattr {work}/file security.capability", Root, "plant a file with capabilities"),
    Attempt::refused("whiteout", "whiteout {work}/file {work}/planted", SomeKernels, "leave a device behind where a file was (RENAME_WHITEOUT)"),
    Attempt::traced("char-device", "char-device {work}/planted", Root, "make the device of the memory"),
    Attempt::traced("block-device", "block-device {work}/planted", Root, "make the device of a disk"),
    Attempt::refused("give-away", "chown {work}/file", Root, "give a file to another user"),
];
