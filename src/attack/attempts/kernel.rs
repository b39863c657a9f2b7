//! Attempts on the kernel and the machine, and to get more rights.

use super::Attempt;
use super::Control::{Anybody, OwnNamespaces, Root, SomeKernels};
use super::Meant::Refused;

#[rustfmt::skip]
pub(super) const LIST: &[Attempt] = &[
    // Rights.
    Attempt::refused("capabilities", "capabilities", OwnNamespaces, "have any capability"),
    Attempt::refused("new-privileges", "new-privileges", Anybody, "get rights from a set-id program"),
    Attempt::refused("become-root", "become user", Root, "become root"),
    Attempt::refused("join-root", "become group", Root, "join root's group"),
    Attempt::refused("map-users", "any-write /proc/self/uid_map", Anybody, "write one's own map of users"),
    Attempt::refused("user-namespace", "unshare 268435456", Anybody, "make a user namespace by unshare"),
    Attempt::refused("user-namespace-clone", "fork-into 268435456", Anybody, "the same by clone"),
    Attempt::refused("user-namespace-clone3", "fork-anew-into 268435456", Anybody, "the same by clone3"),
    Attempt::refused("mount-namespace", "unshare 131072", OwnNamespaces, "make a mount namespace by unshare"),
    Attempt::refused("pid-namespace-clone", "fork-into 536870912", OwnNamespaces, "make a pid namespace by clone"),
    Attempt::refused("mount-namespace-clone", "fork-into 131072", OwnNamespaces, "make a mount namespace by clone"),
    Attempt::refused("personality-32", "call personality-32", Anybody, "run as a program of 32 bits"),
    Attempt::refused("personality-exec", "call personality-exec", Anybody, "make all that can be read executable"),
    Attempt::refused("calls-32", "ask-in-32-bits", SomeKernels, "call by the gate of 32 bits, past the filter"),
    Attempt::refused("calls-x32", "ask-by-x32", SomeKernels, "call by x32 numbers, past the filter"),
    Attempt { meant: Refused, ..Attempt::works("memory-program", "memory-program", "run a program that lies in memory alone") },

    // Mounts.
    Attempt::refused("mount-memory", "mount tmpfs {work}", OwnNamespaces, "mount a filesystem in memory"),
    Attempt::refused("mount-queues", "mount mqueue {work}", OwnNamespaces, "mount a filesystem of the kernel"),
    Attempt::refused("mount-bind", "bind / {work}", OwnNamespaces, "mount the root elsewhere"),
    Attempt::refused("mount-writable", "remount-writable {shown}", OwnNamespaces, "make what is shown writable"),
    Attempt::refused("unmount", "unmount /proc", OwnNamespaces, "unmount /proc to see what is under it"),
    Attempt::refused("chroot", "chroot /", OwnNamespaces, "chroot, the first step of the old way out"),
    Attempt::refused("pivot-root", "call pivot_root", OwnNamespaces, "change the root"),
    Attempt::refused("filesystem-open", "call fsopen", OwnNamespaces, "open a filesystem by the new calls"),
    Attempt::refused("filesystem-mount", "call fsmount", OwnNamespaces, "mount it by them"),
    Attempt::refused("tree-open", "call open_tree", OwnNamespaces, "clone a tree of mounts"),
    Attempt::refused("tree-move", "call move_mount", OwnNamespaces, "move a mount"),
    Attempt::refused("mount-attributes", "call mount_setattr", Anybody, "change what a mount allows"),

    // Settings and memory of the kernel.
    Attempt::refused("core-pattern", "any-write /proc/sys/kernel/core_pattern", Root, "name a program that handles crashes"),
    Attempt::refused("module-path", "any-write /proc/sys/kernel/modprobe /proc/sys/kernel/hotplug /sys/kernel/uevent_helper", Root, "name a program that the kernel starts"),
    Attempt::refused("settings", "any-write /proc/sys/vm/drop_caches /proc/sys/kernel/panic", Root, "change a setting of the kernel"),
    Attempt::refused("system-request", "any-write /proc/sysrq-trigger", Root, "restart the machine by /proc/sysrq-trigger"),
    Attempt::refused("kernel-core", "any-read /proc/kcore", Root, "read the kernel's memory"),
    Attempt::refused("kernel-log-file", "any-read /proc/kmsg", Root, "read the kernel's log"),
    Attempt::refused("kernel-log", "call syslog", Root, "ask for the kernel's log"),
    Attempt::refused("kernel-addresses", "kernel-addresses", Root, "learn where the kernel is in memory"),
    Attempt::refused("cgroup", "any-write /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/cgroup.procs /sys/fs/cgroup/memory/release_agent /sys/fs/cgroup/pids/cgroup.procs", Root, "leave the cgroup, or name its release agent"),
    Attempt::refused("devices", "any-read /dev/mem /dev/port /dev/kmsg /dev/kvm /dev/net/tun /dev/fuse /dev/vda /dev/sda /dev/nvme0n1 /dev/loop0 /dev/loop-control /dev/vhost-net /dev/vsock /dev/snapshot /dev/uinput /dev/input/event0 /dev/dri/card0 /dev/console /dev/tty0 /dev/mapper/control", Root, "open a device of the host"),

    // The machine.
    Attempt::refused("bpf", "call bpf", SomeKernels, "load a program into the kernel by bpf"),
    Attempt::refused("performance", "call perf_event_open", SomeKernels, "measure the kernel"),
    Attempt::refused("module-memory", "call init_module", Root, "load a module from memory"),
    Attempt::refused("module-file", "call finit_module", Root, "load a module from a file"),
    Attempt::refused("module-remove", "call delete_module", Root, "remove a module"),
    Attempt::refused("next-kernel", "call kexec_load", Root, "load another kernel"),
    Attempt::refused("next-kernel-file", "call kexec_file_load", Root, "load another kernel from a file"),
    Attempt::refused("reboot", "call reboot", Root, "end or restart the machine"),
    Attempt::refused("clock", "call clock_settime", Anybody, "set the clock"),
    Attempt::refused("clock-of-day", "call settimeofday", Anybody, "set the clock by the older call"),
    Attempt::refused("clock-rate", "call clock_adjtime", Anybody, "change how fast the clock runs"),
    Attempt::refused("swap-on", "call swapon", Root, "add swap space"),
    Attempt::refused("swap-off", "call swapoff", Root, "remove swap space"),
    Attempt::refused("accounting", "call acct", Root, "log all processes"),
    #[cfg(target_arch = "x86_64")]
    Attempt::refused("ports-all", "call iopl", Root, "talk to hardware ports"),
    #[cfg(target_arch = "x86_64")]
    Attempt::refused("ports-one", "call ioperm", Root, "talk to one hardware port"),
    #[cfg(target_arch = "x86_64")]
    Attempt::refused("segments", "call modify_ldt", SomeKernels, "change the table of memory segments"),
    Attempt::refused("host-name", "host-name {host}", Anybody, "learn the host's name"),
    Attempt::refused("rename-host", "call sethostname", OwnNamespaces, "change the host's name"),
    Attempt::refused("rename-domain", "call setdomainname", OwnNamespaces, "change its domain"),

    // Terminals.
    Attempt::refused("type-for-caller", "call terminal-input", Anybody, "type into the terminal that it was started from"),
    Attempt::refused("type-for-caller-high", "call terminal-input-high", Anybody, "the same, with bits that the kernel ignores"),
    Attempt::refused("paste-for-caller", "call terminal-paste", Anybody, "paste into it"),
    Attempt::refused("paste-for-caller-high", "call terminal-paste-high", Anybody, "the same, with bits that the kernel ignores"),

    // Large and rarely needed parts of the kernel.
    Attempt::refused("ring-setup", "call io_uring_setup", SomeKernels, "calls by a ring that no filter sees"),
    Attempt::refused("ring-enter", "call io_uring_enter", SomeKernels, "the same, with a ring that is there"),
    Attempt::refused("ring-register", "call io_uring_register", SomeKernels, "the same"),
    Attempt::refused("page-faults", "call userfaultfd", SomeKernels, "handle one's own page faults"),
    Attempt::refused("keys", "call keyctl", SomeKernels, "look into the kernel's keyrings"),
    Attempt::refused("keys-add", "call add_key", SomeKernels, "add a key"),
    Attempt::refused("keys-request", "call request_key", SomeKernels, "have the host's helper look for a key"),
    Attempt::refused("memory-secret", "call memfd_secret", SomeKernels, "have memory that even the kernel does not see"),
    Attempt::refused("tree-list", "call listmount", SomeKernels, "list the mounts of a namespace"),
    Attempt::refused("quota", "call quotactl", SomeKernels, "ask for quotas of users"),
    Attempt::refused("watch-all", "call fanotify_init", SomeKernels, "watch whole filesystems"),
    Attempt::refused("pages-move", "call move_pages", SomeKernels, "move pages between nodes"),
    Attempt::refused("pages-migrate", "call migrate_pages", SomeKernels, "move those of a process"),
    Attempt::refused("pages-advise", "call process_madvise", SomeKernels, "advise on another process's memory"),
    Attempt::refused("pages-splice", "call vmsplice", Anybody, "map memory into a pipe"),
    Attempt::refused("message-queue", "call mq_open", SomeKernels, "open a message queue"),
];
