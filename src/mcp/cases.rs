//! What the server asks of whoever runs it. The rooms below look at nothing by
//! themselves: where cases are, whose they are and what time it is comes through here.

use crate::access::Principal;
use crate::case::CaseId;
use crate::outputs::Shown;
use crate::tools::Session;

use super::errors::Told;

/// The cases that there are, and what can be done with a whole one.
///
/// Each of these may take its time, and is called where that does no harm. Texts are
/// not safe to send before [`Cases::show`] made them so.
///
/// Where there is a principal, there are no cases but those that it sees: of another it
/// is told what it would be told if that were not there. Where there is none, whoever
/// asks sees all. Who found an id here may go on with it.
pub trait Cases: Send + Sync + 'static {
    /// The case that is meant by an id, or by the beginning of one.
    fn find(&self, given: &str, who: Option<&Principal>) -> Result<CaseId, Told>;

    /// Makes a case, which is the principal's own, and tells of it.
    fn open(&self, asked: &OpenCase, who: Option<&Principal>) -> Result<String, Told>;

    /// A case to work in. Nobody else can until it is dropped.
    fn enter(&self, id: &CaseId) -> Result<Session, Told>;

    /// Closes a case that nobody works in.
    fn close(&self, id: &CaseId) -> Result<String, Told>;

    /// Begins a second case where one stands, in which nobody works. It is the
    /// principal's own; without one it is whose the first is.
    fn fork(
        &self,
        id: &CaseId,
        title: Option<&str>,
        who: Option<&Principal>,
    ) -> Result<String, Told>;

    /// All there is to know of a case without going into it.
    fn status(&self, id: &CaseId, who: Option<&Principal>) -> Result<String, Told>;

    /// The last so many calls in it.
    fn journal(&self, id: &CaseId, last: usize) -> Result<String, Told>;

    /// Where in a case the output is that was kept under this number.
    fn output(&self, id: &CaseId, number: u64) -> Result<String, Told>;

    /// The newest cases, a line each; of this one alone, if one is named.
    fn recent(
        &self,
        most: usize,
        only: Option<&CaseId>,
        who: Option<&Principal>,
    ) -> Result<String, Told>;

    /// The ids of all cases, the newest first.
    fn ids(&self, who: Option<&Principal>) -> Result<Vec<CaseId>, Told>;

    /// Which rule of its policy refuses a command.
    fn why(&self, id: &CaseId, command: &str) -> Result<String, Told>;

    /// Whether commands can reach a network: in this case, or where none is named in
    /// those that are opened from here.
    fn has_network(&self, id: Option<&CaseId>) -> Result<bool, Told>;

    /// A text of ours without secrets, bounded, and with nothing in it that acts on a
    /// terminal.
    fn show(&self, text: &str) -> Shown;
}

/// What a case is to be made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenCase {
    pub title: Option<String>,
    /// When it happened, as people write it.
    pub at: Option<String>,
    /// Names, each with a commit or a time if that is known.
    pub repos: Vec<String>,
    /// Where it happened, for deploy records.
    pub environment: Option<String>,
    /// What the system that reported it calls it.
    pub incident: Option<String>,
}
