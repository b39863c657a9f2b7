//! The hands themselves: the process in the jail that does what it is asked.

use std::io;
use std::time::Duration;

use nix::sys::stat::{Mode, umask};

use super::edit::edit;
use super::error::Refusal;
use super::lines::{Kept, lines};
use super::list::{Window, list};
use super::nearest::nearest;
use super::read::read;
use super::search::wire::{Found, FoundEntries};
use super::search::{Find, Search};
use super::wire::{ANSWER_BYTES_MAX, Answer, Request};
use super::write::write;
use crate::jail::wire::Channel;

/// How long it is worth to stay awake for the next request: about as long as an agent's
/// call takes that was answered at once.
const NEXT_SOON: Duration = Duration::from_micros(200);

/// Serves until the host lets go. This process has been locked in.
pub(in crate::jail) fn serve(requests: &Channel) -> io::Result<()> {
    // A file gets the mode that it is given.
    umask(Mode::empty());
    let mut hands = Serving::default();
    while let Some(received) = requests.receive()? {
        let answer = hands.answer(received.message).unwrap_or_else(Answer::Refused);
        requests.send_whole(&answer, ANSWER_BYTES_MAX)?;
        // Who asks much asks again at once.
        requests.comes_within(NEXT_SOON);
    }
    Ok(())
}

/// What is kept from one request to the next. None of it is needed: it only
/// spares work, or is begun again by whoever asks.
#[derive(Debug, Default)]
struct Serving {
    window: Option<Window>,
    search: Option<Search>,
    texts: Kept,
    find: Option<Find>,
}

impl Serving {
    fn answer(&mut self, request: Request) -> Result<Answer, Refusal> {
        match request {
            Request::Read { path, offset, max } => read(&path, offset, max).map(Answer::Chunk),
            Request::List { path, after, max } => {
                list(&path, after.as_deref(), max, &mut self.window).map(Answer::Listing)
            }
            Request::Search(query) => {
                self.search = None;
                Ok(Answer::Found(self.search_on(Search::begin(*query)?)))
            }
            Request::SearchOn => {
                let search = self.search.take().ok_or(Refusal::NoSearch)?;
                Ok(Answer::Found(self.search_on(search)))
            }
            Request::Lines(asked) => lines(&asked, &mut self.texts).map(Answer::Lines),
            Request::Nearest { path, base } => nearest(&path, &base).map(Answer::Nearest),
            Request::Edit(asked) => edit(asked).map(Answer::Edited),
            Request::Find(sought) => {
                self.find = None;
                Ok(Answer::FoundEntries(self.find_on(Find::begin(*sought)?)))
            }
            Request::FindOn => {
                let find = self.find.take().ok_or(Refusal::NoSearch)?;
                Ok(Answer::FoundEntries(self.find_on(find)))
            }
            Request::Write { path, bytes, mode } => write(&path, &bytes, mode).map(Answer::Written),
        }
    }

    fn search_on(&mut self, mut search: Search) -> Found {
        let found = search.go_on();
        if !found.done {
            self.search = Some(search);
        }
        found
    }

    fn find_on(&mut self, mut find: Find) -> FoundEntries {
        let found = find.go_on();
        if !found.done {
            self.find = Some(find);
        }
        found
    }
}
