//! The programs that tests run in a jail: each means harm in one way, and goes on
//! until it is stopped. And the ones that use the library as a server would.
//!
//! They are this program under another name, because what a distribution has
//! (`stress`, `python`) is not everywhere, and fails in ways of its own.

#![expect(unsafe_code, reason = "a hostile program asks no crate for permission")]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::ExitCode;
use std::ptr;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{self, SigHandler, Signal};
use nix::unistd::{ForkResult, fork, setsid};

use crate::{api, changed, hiding, inner, layered};

/// The name under which this program is started to play a part.
pub(crate) const NAME: &str = "part";

const MIB: usize = 1024 * 1024;

pub(crate) fn play(words: &[&str]) -> ExitCode {
    let number = |text: &&str| text.parse::<usize>().unwrap();
    match words {
        ["fork"] => loop {
            // SAFETY: the child only forks on.
            let _ = unsafe { fork() };
        },
        ["threads"] => loop {
            let _ = thread::Builder::new().stack_size(64 * 1024).spawn(rest);
        },
        ["memory"] => loop {
            std::mem::forget(fill(MIB));
        },
        ["memory-each", processes, mib] => {
            many(number(processes), || {
                std::mem::forget(fill(number(mib) * MIB));
                rest()
            });
            rest()
        }
        ["shared-memory"] => {
            while shared(MIB) {}
            ExitCode::from(3)
        }
        ["memfd"] => memfds(),
        ["shm"] => segments(),
        ["descriptors", wanted] => descriptors(number(wanted)),
        ["file", path] => {
            // Not a signal, so that it can go on and on.
            ignore(Signal::SIGXFSZ);
            let mut file = File::create(path).unwrap();
            let wrote = write_on(&mut file);
            println!(
                "{} MiB, then {}",
                wrote / MIB,
                fs::metadata(path).unwrap().len() / MIB as u64
            );
            ExitCode::SUCCESS
        }
        ["files", dir] => {
            for count in 0.. {
                let mut file = File::create(format!("{dir}/{count}")).unwrap();
                file.write_all(&vec![1; MIB]).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            rest()
        }
        ["nameless", dir] => {
            let path = format!("{dir}/nameless");
            let mut file = File::create(&path).unwrap();
            fs::remove_file(path).unwrap();
            for _ in 0..500 {
                file.write_all(&vec![1; MIB]).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            rest()
        }
        ["mapped", dir] => {
            let path = format!("{dir}/mapped");
            let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
            file.set_len(500 * MIB as u64).unwrap();
            // SAFETY: nobody else has it, and it is as long as that.
            let memory = unsafe {
                let (all, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
                libc::mmap(ptr::null_mut(), 500 * MIB, all, shared, file.as_raw_fd(), 0)
            };
            assert_ne!(memory, libc::MAP_FAILED);
            fs::remove_file(path).unwrap();
            drop(file);
            for count in 0..500 {
                // SAFETY: within what was mapped.
                unsafe { ptr::write_bytes(memory.cast::<u8>().add(count * MIB), 1, MIB) };
                thread::sleep(Duration::from_millis(5));
            }
            rest()
        }
        ["deep", dir, levels] => {
            std::env::set_current_dir(dir).unwrap();
            for _ in 0..number(levels) {
                fs::create_dir("d").unwrap();
                std::env::set_current_dir("d").unwrap();
            }
            let mut file = File::create("bottom").unwrap();
            for _ in 0..500 {
                file.write_all(&vec![1; MIB]).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            rest()
        }
        ["xattr", path, name, value] => {
            let flags = rustix::fs::XattrFlags::empty();
            match rustix::fs::lsetxattr(*path, *name, value.as_bytes(), flags) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(3),
            }
        }
        ["spin", processes] => {
            many(number(processes), || spin());
            spin()
        }
        ["deaf"] => {
            for signal in Signal::iterator() {
                ignore(signal);
            }
            println!("deaf");
            rest()
        }
        ["daemon"] => {
            // SAFETY: one thread, and the children go on in plain code.
            if unsafe { fork() }.unwrap().is_child() {
                setsid().unwrap();
                // SAFETY: the same.
                if unsafe { fork() }.unwrap().is_child() {
                    rest();
                }
                return ExitCode::SUCCESS;
            }
            println!("left a daemon");
            ExitCode::SUCCESS
        }
        ["brood", processes] => {
            // Some that wait, and some that are born and die all the time.
            many(number(processes), || rest());
            ignore(Signal::SIGCHLD);
            loop {
                // SAFETY: the child ends at once.
                if let Ok(ForkResult::Child) = unsafe { fork() } {
                    // SAFETY: ends this process.
                    unsafe { libc::_exit(0) }
                }
            }
        }
        ["echo"] => {
            let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
            std::io::copy(&mut stdin, &mut stdout).unwrap();
            ExitCode::SUCCESS
        }
        ["pattern", seed, bytes, to] => {
            let mut to: Box<dyn Write> = match *to {
                "out" => Box::new(std::io::stdout()),
                _ => Box::new(std::io::stderr()),
            };
            to.write_all(&pattern(number(seed) as u64, number(bytes))).unwrap();
            ExitCode::SUCCESS
        }
        ["hash"] => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).unwrap();
            println!("{:016x} {}", hash(&bytes), bytes.len());
            ExitCode::SUCCESS
        }
        ["signal", number] => {
            // SAFETY: the default action of what is raised is what is wanted.
            unsafe {
                let signal = number.parse().unwrap();
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
            rest()
        }
        ["open-fds"] => {
            let open = |number: &i32| {
                // SAFETY: only looks.
                unsafe { libc::fcntl(*number, libc::F_GETFD) != -1 }
            };
            println!("{:?}", (0..4096).filter(open).collect::<Vec<_>>());
            ExitCode::SUCCESS
        }
        ["hide", rest @ ..] => hiding::play(rest),
        ["api", rest @ ..] => api::play(rest),
        ["changed", rest @ ..] => changed::play(rest),
        ["inner", rest @ ..] => inner::play(rest),
        ["layered", rest @ ..] => layered::play(rest),
        _ => panic!("no such part: {words:?}"),
    }
}

/// Does nothing, for longer than any test.
fn rest() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1000));
    }
}

fn spin() -> ! {
    let mut count = 0_u64;
    loop {
        count = black_box(count).wrapping_add(1);
    }
}

fn many(count: usize, child: impl Fn()) {
    for _ in 0..count {
        // SAFETY: one thread, and the child goes on in plain code.
        if let Ok(ForkResult::Child) = unsafe { fork() } {
            child();
        }
    }
}

fn fill(bytes: usize) -> Vec<u8> {
    black_box(vec![1; bytes])
}

fn ignore(signal: Signal) {
    // SAFETY: no handler is installed. Two signals cannot be ignored.
    let _ = unsafe { signal::signal(signal, SigHandler::SigIgn) };
}

/// Memory that belongs to no process's own data.
fn shared(bytes: usize) -> bool {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, written from end to end and never freed.
    unsafe {
        let at = libc::mmap(ptr::null_mut(), bytes, libc::PROT_WRITE, flags, -1, 0);
        if at == libc::MAP_FAILED {
            return false;
        }
        ptr::write_bytes(at.cast::<u8>(), 1, bytes);
        true
    }
}

/// Memory that belongs to no process at all, only to descriptors.
fn memfds() -> ExitCode {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    let mut held: Vec<OwnedFd> = Vec::new();
    loop {
        match memfd_create(c"bomb", MFdFlags::empty()) {
            Ok(fd) => {
                let mut file = File::from(fd);
                for _ in 0..8 {
                    let _ = file.write_all(&vec![1; MIB]);
                }
                held.push(file.into());
            }
            Err(Errno::EMFILE) => rest(),
            Err(errno) => {
                println!("refused: {errno}");
                return ExitCode::SUCCESS;
            }
        }
    }
}

/// Memory that belongs to nobody once it is let go of.
fn segments() -> ExitCode {
    loop {
        // SAFETY: the segment is written from end to end, and let go of.
        unsafe {
            let id = libc::shmget(libc::IPC_PRIVATE, 16 * MIB, libc::IPC_CREAT | 0o600);
            if id < 0 {
                println!("refused: {}", Errno::last());
                return ExitCode::SUCCESS;
            }
            let at = libc::shmat(id, ptr::null(), 0);
            ptr::write_bytes(at.cast::<u8>(), 1, 16 * MIB);
            libc::shmdt(at);
        }
    }
}

fn descriptors(wanted: usize) -> ExitCode {
    let mut held = Vec::new();
    let refused = (0..wanted).find_map(|_| match File::open("/dev/null") {
        Ok(file) => {
            held.push(file);
            None
        }
        Err(error) => Some(error),
    });
    println!("{} opened, then {refused:?}", held.len());
    ExitCode::SUCCESS
}

fn write_on(file: &mut File) -> usize {
    let mut wrote = 0;
    while let Ok(more) = file.write(&vec![1; MIB]) {
        wrote += more;
    }
    wrote
}

/// Bytes that never repeat in step with any buffer.
pub(crate) fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(bytes);
    out
}

pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
