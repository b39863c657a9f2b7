//! A server with nothing behind it, for targets that are about what comes in front.

use std::sync::Arc;

use casefile::access::Principal;
use casefile::case::CaseId;
use casefile::mcp::{Cases, Code, OpenCase, Server, Told};
use casefile::outputs::{Budget, Secrets, Shown};
use casefile::tools::Session;

pub(crate) fn server() -> Server {
    let secrets = Arc::new(Secrets::new([9; 16], Vec::new()).expect("there are none"));
    Server::new(Arc::new(Nothing(secrets)), None).expect("it can serve")
}

/// A machine without a case.
struct Nothing(Arc<Secrets>);

fn none<T>() -> Result<T, Told> {
    Err(Told::new(Code::NotFound, "there is no case"))
}

impl Cases for Nothing {
    fn find(&self, _: &str, _: Option<&Principal>) -> Result<CaseId, Told> {
        none()
    }

    fn open(&self, asked: &OpenCase, _: Option<&Principal>) -> Result<String, Told> {
        Ok(format!("{asked:?}"))
    }

    fn enter(&self, _: &CaseId) -> Result<Session, Told> {
        none()
    }

    fn close(&self, _: &CaseId) -> Result<String, Told> {
        none()
    }

    fn fork(&self, _: &CaseId, _: Option<&str>, _: Option<&Principal>) -> Result<String, Told> {
        none()
    }

    fn status(&self, _: &CaseId, _: Option<&Principal>) -> Result<String, Told> {
        none()
    }

    fn journal(&self, _: &CaseId, _: usize) -> Result<String, Told> {
        none()
    }

    fn output(&self, _: &CaseId, _: u64) -> Result<String, Told> {
        none()
    }

    fn recent(&self, _: usize, _: Option<&CaseId>, _: Option<&Principal>) -> Result<String, Told> {
        Ok("none".into())
    }

    fn ids(&self, _: Option<&Principal>) -> Result<Vec<CaseId>, Told> {
        Ok(Vec::new())
    }

    fn why(&self, _: &CaseId, _: &str) -> Result<String, Told> {
        none()
    }

    fn has_network(&self, _: Option<&CaseId>) -> Result<bool, Told> {
        none()
    }

    fn show(&self, text: &str) -> Shown {
        Shown::of(text, &self.0, Budget::MAX)
    }
}
