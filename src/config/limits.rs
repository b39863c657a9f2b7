//! Every limit of the program: its name, its default and its bounds, in one table.
//!
//! A policy may set a limit, `casefile.yaml` may change a default, and both are
//! held to the bounds here. Nothing else in the program states such a number.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What can be limited. The order is the order of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Memory of everything in a jail together.
    Memory,
    /// Processes and threads in a jail together.
    Processes,
    /// Processor time of one command and all it starts.
    Cpu,
    /// Time from the start of a command to its end.
    Wall,
    /// The same, for a session that a person types into.
    Session,
    /// Files that one process holds open.
    OpenFiles,
    /// The size of one file that is written.
    File,
    /// What a jail adds to the disk in all.
    Disk,
    /// Each of `/tmp`, `/dev/shm` and the home, which live in memory.
    Scratch,
    /// What a command prints in all.
    Output,
    /// The kept outputs of a case together.
    Outputs,
    /// What is shown of one result.
    Shown,
}

/// One row of [`TABLE`].
#[derive(Debug)]
pub struct Bounds {
    pub limit: Limit,
    /// The key in YAML, unit last.
    pub key: &'static str,
    pub default: u64,
    pub min: u64,
    pub max: u64,
    /// What is counted, for `casefile config show` and for error messages.
    pub what: &'static str,
}

#[rustfmt::skip]
pub const TABLE: [Bounds; 12] = [
    row(Limit::Memory,    "memory_mib",   2_048, 16,   1_048_576, "memory of everything in the jail"),
    row(Limit::Processes, "processes",      256,  8,      32_768, "processes and threads in the jail"),
    row(Limit::Cpu,       "cpu_s",          600,  1,   2_592_000, "processor time of a command and all it starts"),
    row(Limit::Wall,      "wall_s",         280,  1,   2_592_000, "time from a command's start to its end"),
    row(Limit::Session,   "session_s",   28_800,  1,   2_592_000, "the same for a session on a terminal"),
    row(Limit::OpenFiles, "open_files",   1_024, 16,   1_048_576, "files that one process holds open"),
    row(Limit::File,      "file_mib",     2_048,  1,  16_777_216, "size of one file that is written"),
    row(Limit::Disk,      "disk_mib",     4_096,  1, 134_217_728, "what the jail adds to the disk"),
    row(Limit::Scratch,   "scratch_mib",    512,  1,   1_048_576, "each of /tmp, /dev/shm and the home"),
    row(Limit::Output,    "output_mib",      64,  1,   1_048_576, "what a command prints"),
    row(Limit::Outputs,   "outputs_mib",  4_096,  1, 134_217_728, "kept outputs of a case together"),
    row(Limit::Shown,     "shown_chars",  8_000, 1_000,   20_000, "characters of one result that are shown"),
];

const fn row(
    limit: Limit,
    key: &'static str,
    default: u64,
    min: u64,
    max: u64,
    what: &'static str,
) -> Bounds {
    Bounds { limit, key, default, min, max, what }
}

impl Limit {
    /// Its row: name, default and bounds.
    pub fn bounds(self) -> &'static Bounds {
        &TABLE[self as usize]
    }

    /// The limit that goes by this key in YAML.
    pub fn from_key(key: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.key == key).map(|row| row.limit)
    }
}

/// A value for every limit, each within its bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits([u64; TABLE.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self(std::array::from_fn(|at| TABLE[at].default))
    }
}

impl Limits {
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Sets one limit, or says why it cannot be that.
    pub fn set(&mut self, limit: Limit, value: u64) -> Result<(), OutOfBounds> {
        let Bounds { min, max, .. } = limit.bounds();
        if value < *min || *max < value {
            return Err(OutOfBounds { limit, value });
        }
        self.0[limit as usize] = value;
        Ok(())
    }
}

/// A limit was given a value that makes no sense for it.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    pub limit: Limit,
    pub value: u64,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { key, min, max, .. } = self.limit.bounds();
        write!(f, "`{key}` must be from {min} to {max}, not {}", self.value)
    }
}

impl std::error::Error for OutOfBounds {}

#[cfg(test)]
mod tests {
    use super::{Limit, Limits, OutOfBounds, TABLE};

    #[test]
    fn the_table_is_in_the_order_of_its_names_and_its_defaults_are_within_bounds() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.limit as usize, at, "{}", row.key);
            assert_eq!(Limit::from_key(row.key), Some(row.limit));
            assert_eq!(Limits::default().set(row.limit, row.default), Ok(()), "{}", row.key);
        }
    }

    #[test]
    fn a_value_past_a_bound_is_refused_and_changes_nothing() {
        let mut limits = Limits::default();
        for row in &TABLE {
            for value in [row.min - 1, row.max + 1] {
                let got = limits.set(row.limit, value);
                assert_eq!(got, Err(OutOfBounds { limit: row.limit, value }));
            }
            assert_eq!(limits.set(row.limit, row.min), Ok(()));
            assert_eq!(limits.get(row.limit), row.min);
        }
    }
}
