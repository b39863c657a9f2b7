//! What the outside told: directories and variables, looked up once by the door
//! and handed in, because the library looks at none of them.

use std::path::{Path, PathBuf};

use crate::yaml::Located;

/// Where the program was started, and what it was told about directories.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Absolute; where the search for `casefile.yaml` begins.
    pub working_directory: PathBuf,
    /// The user's home directory, if known.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `$XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `$CASEFILE_HOME`, which wins over the file.
    pub casefile_home: Option<PathBuf>,
    /// `--config FILE`: this file, and no search.
    pub file: Option<PathBuf>,
}

impl Given {
    /// Where a user's own `casefile.yaml` lies, for every directory.
    pub(super) fn own_directory(&self) -> Option<PathBuf> {
        base(self.config_home.as_deref(), self.home.as_deref(), ".config")
    }

    /// Where cases are kept if nothing says otherwise.
    pub(super) fn default_home(&self) -> Option<PathBuf> {
        base(self.state_home.as_deref(), self.home.as_deref(), ".local/state")
    }

    /// The directories that decide what casefile does, whatever a file says.
    pub fn kept(&self) -> Vec<PathBuf> {
        let casefile_home =
            self.casefile_home.as_ref().map(|home| self.working_directory.join(home));
        [casefile_home, self.default_home(), self.own_directory()].into_iter().flatten().collect()
    }

    /// A path that may begin with `~/`, taken from `directory` if it is relative.
    pub(super) fn expand(&self, path: &str, directory: &Path) -> Option<PathBuf> {
        let below_home = match path {
            "~" => Some(""),
            path => path.strip_prefix("~/"),
        };
        match below_home {
            Some(rest) => self.home.as_ref().map(|home| home.join(rest)),
            None => Some(directory.join(path)),
        }
    }

    /// An absolute spelling of a path that was typed.
    pub(super) fn absolute(&self, path: &Path) -> Result<PathBuf, Located> {
        if path.as_os_str().is_empty() {
            return Err(Located::whole(path, "an empty path names no file"));
        }
        Ok(self.working_directory.join(path))
    }
}

/// `casefile` in a base directory, whose variable counts only if it is absolute.
fn base(variable: Option<&Path>, home: Option<&Path>, below_home: &str) -> Option<PathBuf> {
    let directory = match variable.filter(|path| path.is_absolute()) {
        Some(path) => path.to_path_buf(),
        None => home?.join(below_home),
    };
    Some(directory.join("casefile"))
}
