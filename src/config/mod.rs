//! What can be set: `casefile.yaml`, the limits, and where each value came from.
//!
//! ```text
//! Given ──find──► a file ──raw──► what it says ──settings──► Settings
//! ```
//!
//! `raw` is the shape of the file and nothing else. `settings` holds every value
//! to its bounds and remembers its [`Source`]: the default, a line of the file,
//! or a variable of the environment. This room looks at nothing but the file;
//! who starts it hands in what is [`Given`].

mod find;
mod given;
pub mod limits;
mod name;
mod raw;
mod serve;
mod settings;
mod template;
mod trust;

pub use find::{FILE_NAME, POLICY_DIR_NAME, find};
pub use given::Given;
pub use name::{BadName, PolicyName};
pub use serve::{Issuer, Jwks, RATE_MAX, Serve};
pub use settings::{Secrets, Setting, Settings, Source};
pub use template::template;
pub use trust::{Said, Trust, Untrusted};
