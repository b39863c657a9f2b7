//! A jail that lies: any bytes, with any number of descriptors, in place of what
//! a warden says to its host.
//!
//! An input is a row of packets: how many descriptors come along, how many bytes,
//! and the bytes. The host hears each of them as it would hear a warden's, over a
//! real socket, and must have nothing open afterwards that it had not before.
//!
//! ```text
//! cargo +nightly fuzz run warden -- -max_len=65536 -timeout=5 -rss_limit_mb=300
//! ```

#![no_main]

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

use casefile::jail::wire::{FROM_JAIL_BYTES_MAX, FromCommand, FromWarden, decode_from_jail};
use casefile::jail::{Jail, JailError, News, Running};
use libfuzzer_sys::fuzz_target;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

/// The most descriptors that the kernel lets one message carry.
const DESCRIPTORS_MAX: usize = 253;
/// More would not fit into the socket, and the fuzzer would wait for itself.
const PACKETS_MAX: usize = 4;
const PACKET_BYTES_MAX: usize = FROM_JAIL_BYTES_MAX + 100;

struct Packet {
    descriptors: usize,
    bytes: Vec<u8>,
}

fn packets(mut bytes: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let [descriptors, low, high, rest @ ..] = bytes
        && packets.len() < PACKETS_MAX
    {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let length = length.min(PACKET_BYTES_MAX).min(rest.len());
        let (body, rest) = rest.split_at(length);
        let descriptors = usize::from(*descriptors).min(DESCRIPTORS_MAX);
        packets.push(Packet { descriptors, bytes: body.to_vec() });
        bytes = rest;
    }
    packets
}

/// A socket on which all of it was said, by one who then hung up.
fn said(packets: &[Packet]) -> OwnedFd {
    static GIVEN: OnceLock<File> = OnceLock::new();
    let given = GIVEN.get_or_init(|| File::open("/dev/null").unwrap());
    let (host, jail) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    for packet in packets {
        let numbers = vec![given.as_raw_fd(); packet.descriptors];
        let control = [ControlMessage::ScmRights(&numbers)];
        let control = if numbers.is_empty() { &[] } else { &control[..] };
        let parts = [IoSlice::new(&packet.bytes)];
        sendmsg::<()>(jail.as_raw_fd(), &parts, control, MsgFlags::MSG_DONTWAIT, None).unwrap();
    }
    host
}

/// How many descriptors this process has, the one that lists them included.
fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fuzz_target!(|bytes: &[u8]| {
    let _ = decode_from_jail::<FromWarden>(bytes);
    if let Ok(FromCommand::NotStarted(fault)) = decode_from_jail(bytes) {
        // It owns no more than was sent.
        assert!(fault.detail.len() <= bytes.len());
    }

    let packets = packets(bytes);
    drop(said(&[]));
    let before = open();

    let running = Running::behind(said(&packets));
    let mut terminals = Vec::new();
    let mut heard = 0;
    loop {
        match running.news() {
            Ok(News::Started(terminal)) => terminals.extend(terminal),
            Ok(News::NotStarted(fault)) => assert!(fault.detail.len() <= FROM_JAIL_BYTES_MAX),
            Ok(News::Ended(_)) | Err(JailError::Garbage(_)) => {}
            Err(JailError::Gone) => break,
            Err(error) => panic!("{error:?}"),
        }
        heard += 1;
        assert!(heard <= packets.len(), "more was heard than was said");
    }
    assert!(terminals.len() <= packets.len());
    // What was handed out as a terminal is the caller's, and nothing else is left.
    assert_eq!(open(), before + 1 + terminals.len());
    for terminal in terminals {
        let mut nothing = [0];
        assert_eq!(File::from(terminal).read(&mut nothing).unwrap(), 0);
    }
    drop(running);
    assert_eq!(open(), before);

    match Jail::behind(said(&packets)) {
        Ok(jail) => {
            let _ = jail.means();
            assert_eq!(open(), before + 1);
        }
        Err(JailError::Fault(fault)) => assert!(fault.detail.len() <= FROM_JAIL_BYTES_MAX),
        Err(JailError::Garbage(_) | JailError::Gone) => {}
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(open(), before);
});
