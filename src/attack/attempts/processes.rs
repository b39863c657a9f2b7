//! Attempts on the host's processes, and on what they have in memory.

use super::Attempt;
use super::Control::{Anybody, Root, SomeKernels};
use super::Meant::Undone;

#[rustfmt::skip]
pub(super) const LIST: &[Attempt] = &[
    Attempt::refused("stat-process", "stat /proc/{pid}", Anybody, "see that a host process is there"),
    Attempt::refused("command-lines", "command-lines {token}", Anybody, "find it among all command lines"),
    Attempt::refused("environment-of-process", "read /proc/{pid}/environ", Anybody, "read its environment"),
    Attempt::refused("environments", "environs {token}", Anybody, "search all environments for a secret"),
    Attempt::refused("environment-of-init", "read /proc/1/environ", Root, "read the environment of process 1"),
    Attempt::refused("variable-of-host", "variable {variable}", Anybody, "inherit a variable of the host's"),
    Attempt::refused("memory-file", "any-read /proc/{pid}/mem", Anybody, "open its memory"),
    Attempt::refused("memory-call", "memory {pid} {address}", Anybody, "read its memory by process_vm_readv"),
    Attempt::refused("trace", "ptrace {pid}", Anybody, "trace it"),
    Attempt::refused("take-descriptor", "take-descriptor {pid}", Anybody, "take an open file from it"),
    Attempt::refused("memory-layout", "set-own 35 1 4096", Root, "say that one's memory lies elsewhere (PR_SET_MM)"),
    Attempt::refused("compare", "compare {pid}", SomeKernels, "compare its kernel objects with one's own"),
    Attempt::refused("namespace-mounts", "set-namespace /proc/{pid}/ns/mnt", Root, "enter its mount namespace"),
    Attempt::refused("namespace-network", "set-namespace /proc/{pid}/ns/net", Root, "enter its network namespace"),
    Attempt::refused("namespace-users", "set-namespace /proc/{pid}/ns/pid", Root, "enter its pid namespace"),
    Attempt::traced("signal", "kill {pid} 15", Anybody, "end it by kill"),
    Attempt::traced("signal-thread", "tgkill {pid} 15", Anybody, "end it by tgkill"),
    Attempt::traced("signal-queued", "queue-signal {pid} 15", Anybody, "end it by a queued signal"),
    Attempt::traced("signal-descriptor", "pidfd-kill {pid} 15", Anybody, "end it by a descriptor of it"),
    Attempt::traced("signal-io", "signal-by-io {pid}", Anybody, "end it by a signal for arriving input"),
    Attempt::refused("signal-all", "kill-any", Anybody, "reach anybody at all with a signal"),
    Attempt::refused("limit-of-process", "limit {pid}", SomeKernels, "change its limits"),
    Attempt::refused("turn-of-process", "turn {pid}", Anybody, "change its priority"),
    Attempt::refused("pin-process", "pin {pid}", Anybody, "pin it to one processor"),
    Attempt::refused("shared-memory-key", "shared-memory {key}", Anybody, "find the host's shared memory by its key"),
    Attempt { meant: Undone, ..Attempt::traced("linger", "linger {linger}", Anybody, "leave a process behind in a session of its own") },
    Attempt::refused("overwrite-init", "overwrite-program /proc/1/exe", Root, "overwrite the program of process 1"),
    Attempt::traced("change-own-program", "chmod /proc/self/exe 0o777", Anybody, "change the program that runs"),
];
