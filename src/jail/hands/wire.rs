//! What the host asks the hands, and what they answer.
//!
//! Names and contents are bytes, never text: a file may be called anything but
//! `/`, and hold anything at all. An answer is one packet of at most
//! [`ANSWER_BYTES_MAX`]; what does not fit is asked for in another request.

use std::fmt;
use std::ops::Deref;

use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

pub use super::edit::told::{Change, Changed, EditAsked, Edited, How, Near};
use super::error::Refusal;
pub use super::lines::told::{Form, LinesAsked, Made, Short, Told, ToldLine, ToldLines};
use super::search::wire::{Found, FoundEntries, Query, Sought};

/// The most of a file, of entries or of lines that one answer brings.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// The same with what is said about it. The host reads no more.
pub const ANSWER_BYTES_MAX: usize = CHUNK_BYTES_MAX + 8 * 1024;
/// The most that is written in one request.
pub const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Host to hands, one at a time.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    Read {
        path: Bytes,
        offset: u64,
        max: u64,
    },
    List {
        path: Bytes,
        after: Option<Bytes>,
        max: u64,
    },
    /// Begin a search, in place of any other, and go on with it for a moment.
    Search(Box<Query>),
    /// Go on with it for another.
    SearchOn,
    /// Begin to look for names, in place of any other, and go on with it for a moment.
    Find(Box<Sought>),
    FindOn,
    Write {
        path: Bytes,
        bytes: Bytes,
        mode: WriteMode,
    },
    /// Lines of a file, and with them what the file is.
    Lines(LinesAsked),
    /// Names like this one, which is not there.
    Nearest {
        path: Bytes,
        base: Bytes,
    },
    /// A change whose lines are told.
    Edit(EditAsked),
}

/// Hands to host, one for each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Chunk(Chunk),
    Listing(Listing),
    Found(Found),
    Written(Facts),
    Refused(Refusal),
    Lines(Told),
    Nearest(Vec<Bytes>),
    Edited(Edited),
    FoundEntries(FoundEntries),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteMode {
    /// A file that is not there yet.
    Create,
    /// The whole of a file, whether or not there was one. It is written beside and
    /// put in its place, so that a reader sees the old or the new. It keeps its
    /// mode; another name of the old file keeps the old bytes.
    Replace,
    /// The end of a file, which is made if it is not there.
    Append,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    pub bytes: Bytes,
    /// Whether the file ends with them, as far as could be seen: one that is being
    /// written to, or made up by the kernel, may have more the next moment.
    pub at_end: bool,
    /// What the file was just before it was read.
    pub facts: Facts,
}

/// What is known of a file without reading it. Two that are equal are of the same
/// file, which nobody has changed in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub kind: Kind,
    pub size: u64,
    /// When its bytes changed. A program may set this to any time it likes.
    pub modified: Time,
    /// When anything about it changed, as the kernel saw it.
    pub changed: Time,
    pub device: u64,
    pub inode: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    File,
    Directory,
    Link,
    Fifo,
    Socket,
    Device,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// A time as files have it, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// A part of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// How many come after these, as far as they were counted.
    pub left: u64,
    /// Whether the directory has no entry after these.
    pub at_end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub name: Bytes,
    pub facts: Facts,
}

/// Bytes that travel as they are, and not one by one.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;

        impl<'de> Visitor<'de> for Whole {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            // Only these: the length was held against what came, and is no more
            // than a claim in any other way of reading.
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }

        deserializer.deserialize_bytes(Whole)
    }
}
