//! `casefile mcp`: the cases of this machine for an agent, by the Model Context Protocol
//! on standard input and output.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::report::{Failure, Turn};
use super::surroundings::Surroundings;
use super::table::Table;
use super::{close, fork, install, journal, list, open, policy, session, show, time};
use crate::access::Principal;
use crate::case::{self, CaseError, CaseId, Home, Incident, Listed, Opener};
use crate::config::Untrusted;
use crate::govern::check;
use crate::jail::hold_little_memory;
use crate::jail::policy::{Network, Policy, split};
use crate::mcp::{Cases, Code, OpenCase, Server, Told, serve};
use crate::outputs::{Budget, Secrets, Shown};
use crate::repos::{RepoError, ResolveError};
use crate::tools::Session;
use crate::world::WorldError;

/// Serve cases to an agent: an MCP server on stdin and stdout
///
/// It opens cases with what is set where it was started, and works in them as long as
/// the client is there.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    act: Option<Act>,
    /// Serve this case and no other: its id, or the beginning of it
    #[arg(long, value_name = "CASE")]
    case: Option<String>,
    /// Let go of a case that nobody asked anything of for so long
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_S)]
    idle: u64,
}

#[derive(Debug, Subcommand)]
enum Act {
    Install(install::Install),
}

/// How long a case is kept that nobody asks anything of, if nobody says.
pub(super) const IDLE_S: u64 = 300;

pub(crate) fn run(mcp: &Mcp, around: Surroundings) -> Result<ExitCode, Failure> {
    if let Some(Act::Install(install)) = &mcp.act {
        return install::run(install, &around);
    }
    let found = |given: &String| case::find(&around.home()?, given).map_err(Failure::case);
    let bound = mcp.case.as_ref().map(found).transpose()?;
    let here = Here::new(around, "casefile mcp")?;
    let ours = |error| Failure::new(Turn::Ours, error);
    let server = Server::new(Arc::new(here), bound).map_err(ours)?;
    hold_little_memory();
    serve(&server, Duration::from_secs(mcp.idle)).map_err(Failure::user)?;
    Ok(ExitCode::SUCCESS)
}

/// The cases of this machine, as whoever started the server has them.
pub(super) struct Here {
    around: Surroundings,
    secrets: Arc<Secrets>,
    /// Who holds a case that is in use here.
    as_whom: &'static str,
}

impl Here {
    pub(super) fn new(around: Surroundings, as_whom: &'static str) -> Result<Self, Failure> {
        let secrets = session::known_secrets(&around)?;
        Ok(Self { around, secrets, as_whom })
    }

    fn home(&self) -> Result<Home, Told> {
        self.around.home().map_err(|failure| told(&failure))
    }

    /// The policy of a case, or the one that new ones get.
    fn policy(&self, id: Option<&CaseId>) -> Result<Policy, Failure> {
        let (settings, library) = self.around.trusted()?;
        let name = match id {
            Some(id) => {
                let case = case::show(&self.around.home()?, id).map_err(Failure::case)?;
                case.manifest.policy
            }
            None => settings.policy().value.clone(),
        };
        library.load(&name).map_err(Failure::user)
    }

    fn made(&self, asked: &OpenCase, who: Option<&Principal>) -> Result<String, Failure> {
        let moment = asked.at.as_deref().map(|given| {
            time::parse(given, self.around.now(), &self.around.zone()).map_err(Failure::user)
        });
        let moment = moment.transpose()?;
        let wanted = open::Wanted {
            by: Opener::Agent,
            owner: who.map(|who| who.key().to_owned()),
            as_whom: self.as_whom,
            title: asked.title.clone(),
            at: moment.as_ref().map(|moment| moment.at),
            repos: asked.repos.clone(),
            environment: asked.environment.clone(),
            policy: None,
            evidence: Vec::new(),
            reference: asked.incident.clone(),
            full_history: false,
            durable: false,
        };
        let open::Made { id, manifest, reasons, notes, .. } = open::make(wanted, &self.around)?;
        let mut table = Table::default();
        table.row(["case", id.as_str()]);
        if let Some(Incident { at, reference }) = &manifest.incident {
            let reference = reference.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            table.row(["incident", &format!("{at}{reference}")]);
        }
        table.row(["policy", manifest.policy.as_str()]);
        for (repo, why) in manifest.repos.iter().zip(&reasons) {
            let place = format!("repos/{} at {}: {why}", repo.name, repo.commit.short());
            table.row(["code", &place]);
        }
        notes.iter().for_each(|line| table.row(["note", line]));
        table.row(["next", &format!("read_file case={id} path=repos")]);
        Ok(table.to_string())
    }
}

impl Cases for Here {
    fn find(&self, given: &str, who: Option<&Principal>) -> Result<CaseId, Told> {
        let home = self.home()?;
        let found = match who {
            None => case::find(&home, given),
            Some(who) => case::find_seen(&home, given, |id| sees(&home, id, who)),
        };
        found.map_err(|error| told(&Failure::case(error)))
    }

    fn open(&self, asked: &OpenCase, who: Option<&Principal>) -> Result<String, Told> {
        if let Some(repo) = asked.repos.iter().find(|repo| is_elsewhere(repo)) {
            // Whoever asks is an agent, and what is not given to it cannot be read.
            let what = format!("`{repo}` is a path of the host, which only a person may open");
            return Err(Told::new(Code::Forbidden, what).hint(
                "Name a repo that is taken in, or `.`; a person can run `casefile repo add`.",
            ));
        }
        for (name, given) in [("incident", &asked.incident), ("environment", &asked.environment)] {
            if given.as_deref().is_some_and(|given| !is_label(given)) {
                let what = format!("`{name}`: it has more than {LABEL_CHARS_MAX} characters");
                return Err(Told::new(
                    Code::ValidationError,
                    format!("{what}, or control characters"),
                )
                .hint("Give what people call it, such as `PD-4411`."));
            }
        }
        self.made(asked, who).map_err(|failure| told(&failure))
    }

    fn enter(&self, id: &CaseId) -> Result<Session, Told> {
        session::begin(id.as_str(), &self.around, self.as_whom).map_err(|failure| told(&failure))
    }

    fn close(&self, id: &CaseId) -> Result<String, Told> {
        let closed = close::close_one(&self.home()?, id, self.as_whom, &self.around);
        Ok(match closed.map_err(|failure| told(&failure))? {
            true => format!("`{id}` is closed"),
            false => format!("`{id}` was closed already"),
        })
    }

    fn fork(
        &self,
        id: &CaseId,
        title: Option<&str>,
        who: Option<&Principal>,
    ) -> Result<String, Told> {
        let by = fork::By { opener: Opener::Agent, key: who.map(Principal::key) };
        let forked = fork::make(&self.home()?, id, title, by, self.as_whom, &self.around);
        let (new, manifest) = forked.map_err(|failure| told(&failure))?;
        let mut table = Table::default();
        table.row(["case", new.as_str()]);
        table.row(["title", &manifest.title]);
        table.row(["forked from", id.as_str()]);
        Ok(table.to_string())
    }

    fn status(&self, id: &CaseId, who: Option<&Principal>) -> Result<String, Told> {
        let home = self.home()?;
        let case = case::show(&home, id);
        let mut case = case.map_err(|error| told(&Failure::case(error)))?;
        if let Some(who) = who {
            case.manifest.forked_from = case.manifest.forked_from.filter(|id| sees(&home, id, who));
        }
        Ok(show::about(&case).to_string())
    }

    fn journal(&self, id: &CaseId, last: usize) -> Result<String, Told> {
        let calls = journal::calls(&self.home()?.case(id), Some(last));
        let (text, fault) = calls.map_err(|failure| told(&failure))?;
        Ok(match fault {
            _ if text.is_empty() => "nothing was called in this case yet".into(),
            None => text,
            Some(fault) => format!("{text}it is not as it was written: {fault}"),
        })
    }

    fn output(&self, id: &CaseId, number: u64) -> Result<String, Told> {
        let mut found = None;
        let is_meant = |path: &str| {
            let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
            name.split('-').next().and_then(|digits| digits.parse().ok()) == Some(number)
        };
        let finding = check(&self.home()?.case(id), |line, _| {
            let kept = line.entry.kept.iter().find(|kept| is_meant(&kept.path));
            found = found.take().or_else(|| kept.map(|kept| kept.path.clone()));
        });
        finding.map_err(|error| told(&Failure::user(error)))?;
        found.ok_or_else(|| {
            let what = format!("no call in `{id}` kept an output under the number {number}");
            Told::new(Code::NotFound, what).hint("List them with `read_file path=outputs`.")
        })
    }

    fn recent(
        &self,
        most: usize,
        only: Option<&CaseId>,
        who: Option<&Principal>,
    ) -> Result<String, Told> {
        let all = case::list(&self.home()?);
        let mut all = all.map_err(|error| told(&Failure::case(error)))?;
        all.retain(|listed| only.is_none_or(|only| listed.name == only.as_str()));
        all.retain(|listed| who.is_none_or(|who| sees_listed(listed, who)));
        all.truncate(most);
        Ok(list::as_table(&all))
    }

    fn ids(&self, who: Option<&Principal>) -> Result<Vec<CaseId>, Told> {
        let all = case::list(&self.home()?);
        let mut all = all.map_err(|error| told(&Failure::case(error)))?;
        all.retain(|listed| who.is_none_or(|who| sees_listed(listed, who)));
        Ok(all.into_iter().filter_map(|listed| listed.case.ok()).map(|case| case.id).collect())
    }

    fn why(&self, id: &CaseId, command: &str) -> Result<String, Told> {
        let words = split(command).map_err(|error| {
            let what = format!("`command`: {error}");
            Told::new(Code::ValidationError, what).hint("Give the words of one command.")
        })?;
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        let policy = self.policy(Some(id)).map_err(|failure| told(&failure))?;
        Ok(policy::why_command(&policy, &words))
    }

    fn has_network(&self, id: Option<&CaseId>) -> Result<bool, Told> {
        let policy = self.policy(id).map_err(|failure| told(&failure))?;
        Ok(policy.network.value == Network::Host)
    }

    fn show(&self, text: &str) -> Shown {
        Shown::of(text, &self.secrets, Budget::MAX)
    }
}

/// Whether there is this case for a principal. One whose manifest cannot be read is
/// nobody's.
fn sees(home: &Home, id: &CaseId, who: &Principal) -> bool {
    // Where the id alone decides, nothing is read.
    who.sees(id, None) || case::owner(home, id).is_ok_and(|owner| who.sees(id, owner.as_deref()))
}

/// The same of a case that was read already.
fn sees_listed(listed: &Listed, who: &Principal) -> bool {
    let owner = listed.case.as_ref().ok().and_then(|case| case.manifest.owner.as_deref());
    let id = listed.name.to_str().and_then(|name| CaseId::parse(name).ok());
    id.is_some_and(|id| who.sees(&id, owner))
}

/// What a case is labelled with is no longer: its manifest has to be read again.
const LABEL_CHARS_MAX: usize = 200;

/// Whether it can stand in a manifest, and on one line of what people are shown.
fn is_label(given: &str) -> bool {
    !given.chars().any(char::is_control) && given.chars().count() <= LABEL_CHARS_MAX
}

/// Whether a repo is asked for by a path that is not the directory of this server.
fn is_elsewhere(repo: &str) -> bool {
    let Some(rest) = repo.strip_prefix('.') else { return open::is_path(repo) };
    match rest.strip_prefix('@') {
        // A path could begin so, too.
        Some(commit) => commit.contains('@') || commit.contains(".."),
        None => !rest.is_empty(),
    }
}

/// A failure as an agent is told of it: what a person would do at a prompt is put in
/// the words of its tools.
fn told(failure: &Failure) -> Told {
    let error = failure.error();
    let (code, hint) = match failure.turn() {
        Turn::Jail => (Code::JailUnavailable, failure.hint()),
        Turn::Ours => (Code::InternalError, failure.hint()),
        Turn::User => ours_of(error, failure.hint()),
    };
    let mut told = Told { code, what: error.to_string(), causes: Vec::new(), hint };
    let mut cause = error.source();
    while let Some(error) = cause {
        told.causes.push(error.to_string());
        cause = error.source();
    }
    told
}

/// The code of what can be mended, and what to do.
fn ours_of(
    error: &(dyn std::error::Error + 'static),
    hint: Option<String>,
) -> (Code, Option<String>) {
    if let Some(error) = error.downcast_ref::<CaseError>() {
        return match error {
            CaseError::NoSuch { nearest, .. } => {
                let open = || "Give the id that `open_case` gave, or open a case.".to_owned();
                (Code::NotFound, nearest.as_ref().map_or_else(|| Some(open()), |_| hint))
            }
            // No process of the host's is an agent's to end.
            CaseError::InUse { .. } => (Code::CaseInUse, None),
            CaseError::Ambiguous { .. } | CaseError::Title(_) | CaseError::Deep { .. } => {
                (Code::ValidationError, hint)
            }
            _ => (Code::UnknownError, hint),
        };
    }
    if let Some(WorldError::Closed { .. }) = error.downcast_ref() {
        // There is a better way out than at a prompt.
        return (Code::InvestigationClosed, None);
    }
    if let Some(RepoError::NoSuch { .. }) = error.downcast_ref() {
        return (Code::NotFound, hint);
    }
    if error.is::<Untrusted>() {
        return (Code::Forbidden, hint);
    }
    if error.is::<ResolveError>() || error.is::<time::BadTime>() || error.is::<case::BadRepoName>()
    {
        return (Code::ValidationError, hint);
    }
    (Code::UnknownError, hint)
}

#[cfg(test)]
mod tests {
    use super::is_elsewhere;

    #[test]
    fn an_agent_opens_what_it_was_given_and_no_other_place() {
        #[rustfmt::skip]
        let table = [
            // repo                 elsewhere
            ("app",                 false),
            ("app@v1",              false),
            ("app@feature/x",       false),
            (".",                   false),
            (".@HEAD~1",            false),
            (".@2026-03-01T00:00Z", false),
            ("..",                  true),
            ("./app",               true),
            ("../app",              true),
            ("/srv/app",            true),
            ("a/b",                 true),
            (".@x/../../app@v1",    true),
            (".@/../../app",        true),
            (".git",                true),
        ];
        for (repo, want) in table {
            assert_eq!(is_elsewhere(repo), want, "{repo}");
        }
    }
}
