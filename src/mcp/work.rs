//! One call, from its arguments to its answer. All of this may take its time, so none of
//! it runs where lines are read and written.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::arguments::{self, Arguments};
use super::attend::wait;
use super::cases::{Cases, OpenCase};
use super::catalogue::{self, Definition, Does, LONG_TAIL, ReadsOnly};
use super::desk::Desk;
use super::errors::{Code, Told};
use super::{calls, search};
use crate::access::{Principal, SCOPE_WRITE};
use crate::case::CaseId;
use crate::hint::nearest;
use crate::outputs::Shown;
use crate::tools::{Call, Kind, Part, ReadFile, Stop};

/// What a call needs besides its arguments. A copy costs little.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) cases: Arc<dyn Cases>,
    pub(super) desk: Arc<Desk>,
    /// The only case there is for this server.
    pub(super) bound: Option<CaseId>,
    /// Who asks, where that decides what there is.
    pub(super) who: Option<Principal>,
}

/// What whoever asked gets to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) shown: Shown,
    /// Whoever asked has to do something about it.
    pub(super) code: Option<Code>,
}

const READ_FILE: &str = "read_file";
/// How many calls of a journal are shown, and the most that can be.
const JOURNAL_CALLS: usize = 20;
const JOURNAL_CALLS_MAX: usize = 80;

impl Work {
    /// The same as this principal has it; without one, as whoever started the server has.
    pub(super) fn as_seen_by(&self, who: Option<Principal>) -> Self {
        Self { who, ..self.clone() }
    }

    /// Does what is asked of a tool that clients list.
    pub(super) fn answer(&self, tool: &str, given: Map<String, Value>, stop: &Stop) -> Answer {
        let done = match catalogue::core(tool) {
            Some(definition) => self.done(definition, given, stop),
            None => Err(unknown(tool)),
        };
        done.unwrap_or_else(|told| self.told(&told))
    }

    /// Whether a call is likely to be done in less time than it takes to hand it over: a
    /// file of a case that is in use is read.
    pub(super) fn is_at_hand(&self, tool: &str, given: &Map<String, Value>) -> bool {
        let id = match (given.get("case"), &self.bound) {
            (Some(named), _) => named.as_str().and_then(|named| CaseId::parse(named).ok()),
            (None, bound) => bound.clone(),
        };
        tool == READ_FILE && id.is_some_and(|id| self.desk.has(&id))
    }

    /// A failure as whoever asked reads it.
    pub(super) fn told(&self, told: &Told) -> Answer {
        Answer { shown: self.cases.show(&told.to_string()), code: Some(told.code) }
    }

    /// Something that went well.
    pub(super) fn good(&self, text: &str) -> Answer {
        Answer { shown: self.cases.show(text), code: None }
    }

    fn done(
        &self,
        tool: &'static Definition,
        given: Map<String, Value>,
        stop: &Stop,
    ) -> Result<Answer, Told> {
        self.only_within_scope(tool, &given)?;
        let who = self.who.as_ref();
        let mut given = Arguments::new(tool.name, tool.names(), given)?;
        match tool.does {
            Does::Open => {
                self.only_unbound(tool.name)?;
                let asked = OpenCase {
                    title: given.text("title")?,
                    at: given.text("at")?,
                    repos: given.list("repos")?,
                    environment: given.text("environment")?,
                    incident: given.text("incident")?,
                };
                Ok(self.good(&self.cases.open(&asked, who)?))
            }
            Does::Work => {
                let id = self.case(&mut given)?;
                let calls::Asked { call, again } = calls::asked(tool.name, &mut given)?;
                self.called(&id, &call, again, stop)
            }
            Does::Close => {
                let id = self.case(&mut given)?;
                let report = given.text("report")?;
                if let Some(report) = &report {
                    let answer = self.called(&id, &first_line(report), true, stop)?;
                    if answer.code.is_some() {
                        return Ok(answer);
                    }
                }
                let closed = self.desk.without(&id, || self.cases.close(&id))?;
                Ok(self.good(&match report {
                    Some(report) => format!("{closed}; its report is `{report}`"),
                    None => closed,
                }))
            }
            Does::Fork => {
                self.only_unbound(tool.name)?;
                let id = self.case(&mut given)?;
                let title = given.text("title")?;
                let fork = || self.cases.fork(&id, title.as_deref(), who);
                let forked = self.desk.without(&id, fork)?;
                Ok(self.good(&forked))
            }
            Does::Status => Ok(self.good(&self.cases.status(&self.case(&mut given)?, who)?)),
            Does::Journal => {
                let id = self.case(&mut given)?;
                let last = given.size("last")?.unwrap_or(JOURNAL_CALLS).min(JOURNAL_CALLS_MAX);
                Ok(self.good(&self.cases.journal(&id, last)?))
            }
            Does::Why => {
                let id = self.case(&mut given)?;
                Ok(self.good(&self.cases.why(&id, &given.needed_text("command")?)?))
            }
            Does::Search => {
                let query = given.text("query")?.unwrap_or_default();
                let now = search::Now {
                    is_bound: self.bound.is_some(),
                    in_use: self.in_use().len(),
                    may_write: self.may_write(),
                };
                Ok(self.good(&search::found(&query, &now)))
            }
            Does::Door { read_only } => {
                let name = given.needed_text("name")?;
                let mut inner = given.object("arguments")?;
                let case = given.text("case")?;
                let tool = self.behind(&name, &inner, read_only)?;
                if let Some(case) = case.filter(|_| tool.takes_case) {
                    inner.entry("case").or_insert(case.into());
                }
                self.done(tool, inner, stop)
            }
        }
    }

    /// The tool that a door leads to.
    fn behind(
        &self,
        name: &str,
        given: &Map<String, Value>,
        read_only: bool,
    ) -> Result<&'static Definition, Told> {
        let Some(tool) = catalogue::behind(name) else {
            return Err(match catalogue::core(name) {
                Some(_) => Told::new(Code::NotFound, format!("`{name}` is behind no door"))
                    .hint(format!("Call `{name}` itself.")),
                None => unknown(name),
            });
        };
        if read_only && !reads_only(tool, given) {
            let what = format!("`{name}` may change something when it is called so");
            return Err(Told::new(Code::Forbidden, what).hint("Call it through `call_tool`."));
        }
        Ok(tool)
    }

    /// A call in a case, and what came of it.
    pub(super) fn called(
        &self,
        id: &CaseId,
        call: &Call,
        again: bool,
        stop: &Stop,
    ) -> Result<Answer, Told> {
        let session = self.desk.in_use(id)?;
        let who = self.who.as_ref().map(Principal::key);
        match session.call_for(who, call, again, stop) {
            Ok(reply) => Ok(Answer { shown: reply.shown, code: reply.kind.map(code) }),
            // It could not be written down, so nothing of it may be shown.
            Err(error) => {
                let mut told = Told::new(Code::UnknownError, error.to_string());
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    told.causes.push(error.to_string());
                    cause = error.source();
                }
                told.hint = crate::hint::Hint::hint(&error);
                Err(told)
            }
        }
    }

    /// The case that is meant.
    fn case(&self, given: &mut Arguments) -> Result<CaseId, Told> {
        match (given.text("case")?, &self.bound) {
            (Some(named), _) => self.meant(&named),
            (None, Some(bound)) => self.meant(bound.as_str()),
            (None, None) => Err(arguments::missing("case")),
        }
    }

    /// The case that is called so, if this server has to do with it.
    pub(super) fn meant(&self, named: &str) -> Result<CaseId, Told> {
        let who = self.who.as_ref();
        // One that is worked in here is there, and whoever may see all may see it.
        if who.is_none()
            && self.bound.as_ref().is_none_or(|bound| bound.as_str() == named)
            && let Ok(id) = CaseId::parse(named)
            && self.desk.has(&id)
        {
            return Ok(id);
        }
        // It looks at files, and this may be the thread that hears and answers.
        let mut found = None;
        wait(&mut || found = Some(self.cases.find(named, who)));
        let found = found.unwrap_or_else(|| self.cases.find(named, who));
        let Some(bound) = &self.bound else { return found };
        match found {
            Ok(id) if id == *bound => Ok(id),
            // For whoever does not see that one, there is none at all here.
            _ if who.is_some() && self.cases.find(bound.as_str(), who).is_err() => {
                let what = "this server has no case for this token";
                Err(Told::new(Code::NotFound, what).hint("Ask a person for another token."))
            }
            // Whether there is another one is not said.
            _ => {
                let what = format!("this server is bound to `{bound}`, not to `{named}`");
                Err(Told::new(Code::Forbidden, what).hint("Leave `case` out."))
            }
        }
    }

    /// The ids that begin so, as far as this server has to do with them.
    pub(super) fn ids(&self, beginning: &str) -> Result<Vec<String>, Told> {
        let ids = match &self.bound {
            Some(bound) => vec![self.meant(bound.as_str())?],
            None => self.cases.ids(self.who.as_ref())?,
        };
        let ids = ids.iter().map(CaseId::to_string).filter(|id| id.starts_with(beginning));
        Ok(ids.collect())
    }

    /// The cases that are in use, as far as there are such for whoever asks.
    pub(super) fn in_use(&self) -> Vec<CaseId> {
        let mut ids = self.desk.ids();
        ids.retain(|id| {
            self.who.is_none() || self.cases.find(id.as_str(), self.who.as_ref()).is_ok()
        });
        ids
    }

    /// Whether whoever asks may do more than look.
    pub(super) fn may_write(&self) -> bool {
        self.who.as_ref().is_none_or(Principal::may_write)
    }

    fn only_within_scope(&self, tool: &Definition, given: &Map<String, Value>) -> Result<(), Told> {
        // What a door leads to is asked about by itself.
        let is_door = matches!(tool.does, Does::Door { .. });
        if self.may_write() || is_door || reads_only(tool, given) {
            return Ok(());
        }
        let what =
            format!("`{}` needs the scope `{SCOPE_WRITE}`, which this token lacks", tool.name);
        let hint = "Use what only looks, or ask a person for a token that may do more.";
        Err(Told::new(Code::Forbidden, what).hint(hint))
    }

    fn only_unbound(&self, tool: &str) -> Result<(), Told> {
        match &self.bound {
            None => Ok(()),
            Some(bound) => {
                let what = format!("`{tool}` makes a case, and this server is bound to `{bound}`");
                Err(Told::new(Code::Forbidden, what).hint("Work in that one."))
            }
        }
    }
}

/// Whether a call changes nothing.
fn reads_only(tool: &Definition, given: &Map<String, Value>) -> bool {
    match tool.reads_only {
        ReadsOnly::Yes => true,
        ReadsOnly::No => false,
        ReadsOnly::When(argument, words) => match given.get(argument) {
            None | Some(Value::Null) => true,
            Some(value) => value.as_str().is_some_and(|word| words.contains(&word)),
        },
    }
}

/// Whether a call of a tool that clients list may change something. A tool that nobody
/// has changes nothing.
pub(super) fn may_change(tool: &str, given: &Map<String, Value>) -> bool {
    catalogue::core(tool).is_some_and(|tool| !reads_only(tool, given))
}

/// Shows that a file is there, and is one.
fn first_line(path: &str) -> Call {
    let part = Part { path: path.into(), from: 1, lines: Some(1), column: None };
    Call::ReadFile(ReadFile { parts: vec![part], raw: true })
}

/// What kind of failure a tool's is, from outside.
fn code(kind: Kind) -> Code {
    match kind {
        Kind::Missing => Code::NotFound,
        Kind::Argument => Code::ValidationError,
        Kind::ReadOnly => Code::Forbidden,
        Kind::Refused => Code::PolicyDenied,
        Kind::Jail => Code::JailUnavailable,
        Kind::Cancelled => Code::Cancelled,
        Kind::Host => Code::UnknownError,
    }
}

/// Nobody has a tool of this name.
pub(super) fn unknown(name: &str) -> Told {
    let core = catalogue::CORE.iter().map(|tool| tool.name);
    let all = core.chain(LONG_TAIL.iter().map(|(_, tool)| tool.name));
    let told = Told::new(Code::NotFound, format!("there is no tool `{name}`"));
    if catalogue::behind(name).is_some() {
        return told.hint(format!("Call it through `call_tool` with `name: {name}`."));
    }
    match nearest(name, all) {
        Some(nearest) => told.hint(format!("Did you mean `{nearest}`?")),
        None => told.hint("List what there is with `search_tools`."),
    }
}
