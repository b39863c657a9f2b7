//! Where a tool works: the hands of a jail, and the directory that names are
//! relative to.

use super::{Stop, ToolError};
use crate::jail::Hands;

/// The hands of a jail, and where in it its world is.
#[derive(Debug)]
pub struct Place<'a> {
    pub hands: &'a mut Hands,
    /// Names that do not begin with `/` begin here.
    pub base: &'a [u8],
    /// Whether what is being done is still wanted, if anybody can say so.
    pub stop: Option<&'a Stop>,
}

impl Place<'_> {
    /// The whole path that is meant by a name. It is not looked at: in the jail
    /// no path leads out.
    pub fn resolve(&self, given: &str) -> Vec<u8> {
        let given = given.as_bytes();
        if given.starts_with(b"/") {
            return given.to_vec();
        }
        let given = given.strip_prefix(b"./").unwrap_or(given);
        match given {
            b"" | b"." => self.base.to_vec(),
            given => [self.base, b"/", given].concat(),
        }
    }

    /// Asked between two steps of what takes long.
    pub fn go_on(&self) -> Result<(), ToolError> {
        match self.stop.is_some_and(Stop::is_wanted) {
            true => Err(ToolError::Cancelled),
            false => Ok(()),
        }
    }

    /// A path as it is told: from the world on, if it is in it. What is not text is
    /// replaced.
    pub fn shown(&self, path: &[u8]) -> String {
        let below = path.strip_prefix(self.base).and_then(|rest| rest.strip_prefix(b"/"));
        let told = match below {
            Some(b"") => b".",
            Some(below) => below,
            None if path == self.base => b".",
            None => path,
        };
        String::from_utf8_lossy(told).into_owned()
    }
}
