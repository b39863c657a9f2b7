//! Which `casefile.yaml` counts: the one in the working directory or the nearest
//! parent that has one, else the user's own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::Given;
use crate::yaml::Located;

/// The name of the file, wherever it lies.
pub const FILE_NAME: &str = "casefile.yaml";

/// The directory of policies that lies beside it.
pub const POLICY_DIR_NAME: &str = "sandbox-policy";

/// The file that counts, or nothing if there is none anywhere.
pub fn find(given: &Given) -> Result<Option<PathBuf>, Located> {
    if let Some(file) = &given.file {
        return given.absolute(file).map(Some);
    }
    let own = given.own_directory();
    let directories = given.working_directory.ancestors().chain(own.as_deref());
    for directory in directories {
        let file = directory.join(FILE_NAME);
        if stands(&file)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Whether anything goes by this name. Whatever it is, it is meant: a dangling
/// link or a directory is not passed over for the next file up.
#[expect(clippy::disallowed_methods, reason = "looks at a name, opens nothing")]
fn stands(file: &Path) -> Result<bool, Located> {
    match file.symlink_metadata() {
        Ok(_) => Ok(true),
        // A directory that may not be searched has nothing to tell us.
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied => {
                Ok(false)
            }
            _ => Err(Located::whole(file, "the file cannot be read").because(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Given, find};

    #[test]
    fn the_nearest_file_counts_and_the_users_own_comes_last() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("work/deep/er")).unwrap();
        std::fs::create_dir_all(at("home/.config/casefile")).unwrap();
        let mut given = Given {
            working_directory: at("work/deep/er"),
            home: Some(at("home")),
            config_home: Some("relative/does/not/count".into()),
            ..Given::default()
        };
        let found = |given: &Given| find(given).unwrap();

        // From the farthest to the nearest: each wins over those before it.
        for name in [
            "home/.config/casefile/casefile.yaml",
            "work/casefile.yaml",
            "work/deep/er/casefile.yaml",
        ] {
            std::fs::write(at(name), "").unwrap();
            assert_eq!(found(&given), Some(at(name)));
        }
        std::fs::remove_file(at("work/deep/er/casefile.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("work/deep/casefile.yaml")).unwrap();
        assert_eq!(found(&given), Some(at("work/deep/casefile.yaml")), "a dangling link is meant");

        given.file = Some("../mine.yaml".into());
        assert_eq!(found(&given), Some(at("work/deep/er/../mine.yaml")));
        given.file = Some("".into());
        assert!(find(&given).is_err());
    }

    #[test]
    fn nothing_anywhere_is_no_error() {
        let given = Given { working_directory: "/proc/self/no/such".into(), ..Given::default() };
        if !Path::new("/casefile.yaml").exists() {
            assert_eq!(find(&given).unwrap(), None);
        }
    }
}
