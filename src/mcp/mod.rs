//! The door for an agent: the cases of this machine, served by the Model Context
//! Protocol.
//!
//! ```text
//! a line of JSON ──► arguments ──► the desk finds the case ──► tools::Session ──► Shown ──► a line
//! ```
//!
//! **No hidden state.** A case is named in every call, or the server is bound to one.
//! What stays between calls is a case in use, and whoever is told another answer because
//! of it is told so.
//!
//! **Text only.** Clients drop the text of a result that has anything beside it, and show
//! a protocol error without its words. So results are text, and so is each failure that
//! whoever asked can mend: what happened, why, what to do, and a code.

mod arguments;
mod attend;
#[cfg(test)]
mod broken;
mod calls;
mod cases;
mod catalogue;
mod desk;
mod errors;
mod heard;
pub mod http;
mod instructions;
mod lines;
mod listed;
mod prompts;
mod resources;
mod search;
mod served;
mod server;
mod stdio;
mod streams;
mod work;

pub use cases::{Cases, OpenCase};
pub use errors::{Code, Told};
pub use served::Unservable;
pub use server::Server;
pub use stdio::{ServeError, serve, talk};
