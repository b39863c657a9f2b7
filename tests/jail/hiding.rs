//! More parts that tests play in a jail: programs that take something and hide it
//! from whoever counts, or hand it to somebody who should not have it.

#![expect(unsafe_code, reason = "a hostile program asks no crate for permission")]

use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use nix::unistd::{ForkResult, fork};

const MIB: usize = 1024 * 1024;
/// As much as any of these takes, if nobody ends it.
const TAKEN_MIB: usize = 400;
/// As many descriptors as one message can carry.
const CARRIED_MAX: usize = 253;

pub(crate) fn play(words: &[&str]) -> ExitCode {
    match words {
        ["in-flight", dir] => in_flight(dir),
        ["mapped", dir] => mapped(dir),
        ["empty", dir] => empty(dir),
        ["backdated", dir] => backdated(dir),
        ["holes", dir] => holes(dir),
        ["reserve", dir] => reserve(dir),
        ["zero"] => zero(),
        ["orphans"] => orphans(),
        ["ignored"] => ignored(),
        ["flood"] => flood(),
        ["give", socket] => give(socket),
        ["take", socket] => take(socket),
        ["own-output"] => own_output(),
        _ => panic!("no such part: {words:?}"),
    }
}

fn rest() -> ! {
    loop {
        thread::sleep(Duration::from_secs(1000));
    }
}

/// A file that nobody sees any more, but who holds it.
fn nameless(dir: &str) -> File {
    let path = format!("{dir}/nameless");
    let how = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    fs::remove_file(path).unwrap();
    how.unwrap()
}

/// A file that no process has open: it is always on its way through a socket.
fn in_flight(dir: &str) -> ! {
    let (here, there) = UnixStream::pair().unwrap();
    let mut file = nameless(dir);
    for _ in 0..TAKEN_MIB {
        file.write_all(&vec![1; MIB]).unwrap();
        send(here.as_raw_fd(), &[file.as_raw_fd()]).unwrap();
        drop(file);
        thread::sleep(Duration::from_millis(3));
        file = receive(&there);
    }
    rest()
}

/// Files that no process has open, and several have mapped.
fn mapped(dir: &str) -> ! {
    for _ in 0..TAKEN_MIB / 8 {
        let file = nameless(dir);
        file.set_len(8 * MIB as u64).unwrap();
        let (all, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping of a file that is as long, written from end to end.
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), 8 * MIB, all, flags, file.as_raw_fd(), 0);
            assert_ne!(at, libc::MAP_FAILED);
            at.cast::<u8>().write_bytes(1, 8 * MIB);
        }
        drop(file);
        thread::sleep(Duration::from_millis(20));
    }
    rest()
}

/// A million files with nothing in them.
fn empty(dir: &str) -> ! {
    for count in 0..1_000_000 {
        if count % 10_000 == 0 {
            fs::create_dir(format!("{dir}/{}", count / 10_000)).unwrap();
        }
        drop(File::create(format!("{dir}/{}/{count}", count / 10_000)).unwrap());
    }
    rest()
}

/// Files that say they are from long ago.
fn backdated(dir: &str) -> ! {
    for count in 0..TAKEN_MIB {
        let mut file = File::create(format!("{dir}/{count}")).unwrap();
        file.write_all(&vec![1; MIB]).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        thread::sleep(Duration::from_millis(2));
    }
    rest()
}

/// A file of which hardly anything is there.
fn holes(dir: &str) -> ExitCode {
    let file = File::create(format!("{dir}/holes")).unwrap();
    file.set_len(1 << 40).unwrap();
    println!("{} bytes", file.metadata().unwrap().len());
    // Longer than it takes to be looked at.
    thread::sleep(Duration::from_millis(500));
    ExitCode::SUCCESS
}

/// Room on the disk that nothing is written to, by every call there is for it.
fn reserve(dir: &str) -> ExitCode {
    const RESERVE: [libc::c_ulong; 3] = [0x4030_5828, 0x4030_582a, 0x4030_5839];
    let file = File::create(format!("{dir}/reserved")).unwrap();
    let size = libc::off_t::try_from(TAKEN_MIB * MIB).unwrap();
    let mut said = Vec::new();
    let mut tell = |answer: libc::c_int| {
        said.push(if answer == 0 { "done" } else { nix::errno::Errno::last().desc() });
    };
    for mode in [libc::FALLOC_FL_KEEP_SIZE, 0, libc::FALLOC_FL_ZERO_RANGE] {
        // SAFETY: takes numbers.
        tell(unsafe { libc::fallocate(file.as_raw_fd(), mode, 0, size) });
    }
    // `struct space_resv`: from the start, so long.
    let mut range = [0_i64; 6];
    range[2] = size;
    for request in RESERVE {
        // SAFETY: reads the struct that it is given.
        tell(unsafe { libc::ioctl(file.as_raw_fd(), request, range.as_mut_ptr()) });
    }
    println!("{}", said.join(", "));
    ExitCode::SUCCESS
}

/// Memory shared by way of a device, and held by one page of each piece.
fn zero() -> ExitCode {
    let piece = 16 * MIB;
    let how = OpenOptions::new().read(true).write(true).open("/dev/zero");
    let Ok(file) = how.or_else(|_| File::open("/dev/zero")) else { return ExitCode::from(2) };
    for _ in 0..TAKEN_MIB / 16 {
        let (all, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping, written from end to end; no page of it is used again.
        unsafe {
            let at = libc::mmap(std::ptr::null_mut(), piece, all, flags, file.as_raw_fd(), 0);
            if at == libc::MAP_FAILED {
                println!("refused: {}", nix::errno::Errno::last());
                return ExitCode::SUCCESS;
            }
            let mut done = 0;
            while done < piece {
                let part = at.cast::<u8>().add(done);
                part.write_bytes(1, MIB);
                libc::madvise(part.cast(), MIB, libc::MADV_DONTNEED);
                done += MIB;
            }
            libc::munmap(at.cast::<u8>().add(4096).cast(), piece - 4096);
        }
    }
    println!("held");
    // Longer than it takes to be looked at.
    thread::sleep(Duration::from_secs(1));
    ExitCode::SUCCESS
}

/// Processor time, taken by grandchildren whose parents are gone at once.
fn orphans() -> ! {
    loop {
        // SAFETY: one thread, and the children go on in plain code.
        unsafe {
            if let Ok(ForkResult::Parent { child }) = fork() {
                nix::sys::wait::waitpid(child, None).unwrap();
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            if let Ok(ForkResult::Child) = fork() {
                spin_briefly();
            }
            libc::_exit(0)
        }
    }
}

/// The same by children that nobody collects, one after the other.
fn ignored() -> ! {
    // SAFETY: no handler is installed; one thread, and the child goes on in plain code.
    unsafe {
        nix::sys::signal::signal(
            nix::sys::signal::Signal::SIGCHLD,
            nix::sys::signal::SigHandler::SigIgn,
        )
        .unwrap();
        loop {
            if let Ok(ForkResult::Child) = fork() {
                spin_briefly();
                libc::_exit(0)
            }
            // Until it is gone, and has told nobody.
            let _ = nix::sys::wait::wait();
        }
    }
}

fn spin_briefly() {
    let mut count = 0_u64;
    for _ in 0..3_000_000 {
        count = std::hint::black_box(count).wrapping_add(1);
    }
}

/// As many descriptors on their way through sockets as can be, for good.
fn flood() -> ! {
    let null = File::open("/dev/null").unwrap();
    let numbers = vec![null.as_raw_fd(); CARRIED_MAX];
    let (mut held, mut sent): (Vec<OwnedFd>, _) = (Vec::new(), 0);
    'all: while let Ok((here, there)) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_NONBLOCK)
    {
        loop {
            match send(here.as_raw_fd(), &numbers) {
                Ok(()) => sent += 1,
                Err(nix::errno::Errno::ETOOMANYREFS) => break 'all,
                Err(_) => break,
            }
        }
        held.extend([here, there]);
    }
    println!("{}", if 0 < sent { "flooded" } else { "nothing was sent" });
    rest()
}

/// Hands its standard output to somebody else, and ends.
fn give(socket: &str) -> ExitCode {
    let stream = UnixStream::connect(socket).unwrap();
    send(stream.as_raw_fd(), &[1]).unwrap();
    // Until the other one has it.
    let _ = (&stream).read(&mut [0]);
    println!("given");
    ExitCode::SUCCESS
}

/// Takes somebody's standard output, and never lets go of it.
fn take(socket: &str) -> ! {
    let listener = UnixListener::bind(socket).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let mut file = receive(&stream);
    (&stream).write_all(b"x").unwrap();
    println!("taken");
    loop {
        let _ = file.write_all(b"late\n");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Takes out of its own output what it has put in.
fn own_output() -> ExitCode {
    let mut how = OpenOptions::new();
    let mut own = how.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/stdout").unwrap();
    let mut taken = 0;
    for _ in 0..200 {
        println!("x");
        taken += own.read(&mut [0; 99]).unwrap_or(0);
    }
    let said: &[u8] = if taken <= 400 { b"done\n" } else { b"more than there was\n" };
    std::io::stderr().write_all(said).unwrap();
    ExitCode::SUCCESS
}

fn send(socket: RawFd, numbers: &[RawFd]) -> nix::Result<()> {
    let control = [ControlMessage::ScmRights(numbers)];
    let parts = [IoSlice::new(b"x")];
    sendmsg::<()>(socket, &parts, &control, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

fn receive(socket: &UnixStream) -> File {
    let mut control = cmsg_space!([RawFd; 1]);
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::empty();
    let received =
        recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags).unwrap();
    let mut messages = received.cmsgs().unwrap();
    let Some(ControlMessageOwned::ScmRights(numbers)) = messages.next() else {
        panic!("no descriptor came along")
    };
    // SAFETY: the number came with the message, and is nobody else's.
    unsafe { File::from_raw_fd(numbers[0]) }
}
