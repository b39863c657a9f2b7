//! Whether the machine went down while a case was in use.
//!
//! What a case writes is not waited for (`volatile`): the end of a process costs
//! nothing, but a power cut may cost what was written last. So whoever comes in
//! leaves the name of this start of the machine, and takes it away on going out. If
//! it is found later on another start, somebody has to be told.

use std::path::Path;

use crate::disk::{self, DiskError};

/// The machine went down while the case was in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut;

const MARK: &str = "in-use";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const BOOT_ID_BYTES_MAX: usize = 64;

/// Leaves the mark, and says whether one of another start was there.
pub(super) fn begin(case: &Path) -> Result<Option<PowerCut>, DiskError> {
    let now = disk::read_small(Path::new(BOOT_ID), BOOT_ID_BYTES_MAX)?;
    begin_at(case, &now.unwrap_or_default())
}

fn begin_at(case: &Path, boot: &[u8]) -> Result<Option<PowerCut>, DiskError> {
    let mark = case.join(MARK);
    let before = disk::read_small(&mark, BOOT_ID_BYTES_MAX)?;
    if before.as_deref() == Some(boot) {
        return Ok(None);
    }
    disk::replace(&mark, boot)?;
    Ok(before.map(|_| PowerCut))
}

/// Takes the mark away.
pub(super) fn end(case: &Path) -> Result<(), DiskError> {
    disk::remove_file(&case.join(MARK))
}

#[cfg(test)]
mod tests {
    use super::{PowerCut, begin, begin_at, end};

    #[test]
    fn only_another_start_of_the_machine_is_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let case = dir.path();
        assert_eq!(begin_at(case, b"first").unwrap(), None);
        // Killed, and come back.
        assert_eq!(begin_at(case, b"first").unwrap(), None);
        end(case).unwrap();
        assert_eq!(begin_at(case, b"second").unwrap(), None);
        assert_eq!(begin_at(case, b"third").unwrap(), Some(PowerCut));
        // It is told once.
        assert_eq!(begin_at(case, b"third").unwrap(), None);
        assert_eq!(begin(case).unwrap(), Some(PowerCut));
        end(case).unwrap();
        end(case).unwrap();
        assert_eq!(begin(case).unwrap(), None);
    }
}
