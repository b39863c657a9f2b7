//! Cases for tests of what stands before them: some ways to ask break down, others wait.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cases::{Cases, OpenCase};
use super::errors::{Code, Told};
use crate::access::Principal;
use crate::case::CaseId;
use crate::outputs::{Budget, Secrets, Shown};
use crate::tools::Session;

/// They break down when somebody looks for what is no id.
#[derive(Debug)]
pub(super) struct Broken {
    secrets: Secrets,
    /// Whoever reads a journal waits for it.
    pub(super) held: Mutex<()>,
    /// So many have begun to.
    pub(super) readers: AtomicUsize,
}

impl Broken {
    pub(super) fn new() -> Self {
        let secrets = Secrets::new([0; 16], Vec::new()).unwrap();
        Self { secrets, held: Mutex::default(), readers: AtomicUsize::new(0) }
    }
}

impl Cases for Broken {
    fn find(&self, given: &str, _: Option<&Principal>) -> Result<CaseId, Told> {
        CaseId::parse(given).map_err(|_| panic!("looked for {given}"))
    }

    fn open(&self, _: &OpenCase, _: Option<&Principal>) -> Result<String, Told> {
        Ok("opened".into())
    }

    fn enter(&self, _: &CaseId) -> Result<Session, Told> {
        Err(no())
    }

    fn close(&self, _: &CaseId) -> Result<String, Told> {
        Err(no())
    }

    fn fork(&self, _: &CaseId, _: Option<&str>, _: Option<&Principal>) -> Result<String, Told> {
        Err(no())
    }

    fn status(&self, _: &CaseId, _: Option<&Principal>) -> Result<String, Told> {
        Err(no())
    }

    fn journal(&self, _: &CaseId, _: usize) -> Result<String, Told> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        drop(self.held.lock());
        Ok("nothing".into())
    }

    fn output(&self, _: &CaseId, _: u64) -> Result<String, Told> {
        Err(no())
    }

    fn recent(&self, _: usize, _: Option<&CaseId>, _: Option<&Principal>) -> Result<String, Told> {
        Err(no())
    }

    fn ids(&self, _: Option<&Principal>) -> Result<Vec<CaseId>, Told> {
        Err(no())
    }

    fn why(&self, _: &CaseId, _: &str) -> Result<String, Told> {
        Err(no())
    }

    fn has_network(&self, _: Option<&CaseId>) -> Result<bool, Told> {
        Err(no())
    }

    fn show(&self, text: &str) -> Shown {
        Shown::of(text, &self.secrets, Budget::MAX)
    }
}

fn no() -> Told {
    Told::new(Code::NotFound, "there is none")
}
