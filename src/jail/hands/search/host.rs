//! The host's side of a search.

use super::wire::{Found, FoundEntries, Query, Sought};
use crate::jail::hands::wire::{Answer, Request};
use crate::jail::hands::{Hands, HandsError};

impl Hands {
    /// Looks for lines, in files and in all files below directories. Links on the way
    /// are not followed.
    ///
    /// The search goes on only while it is asked for more, so leaving off is the way
    /// to interrupt it.
    pub fn search(&mut self, query: &Query) -> Result<Searching<'_>, HandsError> {
        // What it finds in the first moment comes at once.
        let first = self.ask(&Request::Search(Box::new(query.clone())), found)?;
        Ok(Searching { hands: self, first: Some(first), done: false })
    }

    /// Looks for names, in the same way.
    pub fn find(&mut self, sought: &Sought) -> Result<Finding<'_>, HandsError> {
        let first = self.ask(&Request::Find(Box::new(sought.clone())), entries)?;
        Ok(Finding { hands: self, first: Some(first), done: false })
    }
}

/// A search that has begun. The hands wait where they are between two parts.
#[derive(Debug)]
pub struct Searching<'a> {
    hands: &'a mut Hands,
    first: Option<Found>,
    done: bool,
}

impl Searching<'_> {
    /// The next part, or `None` once everything was searched. A part that is empty
    /// says only that there was nothing yet.
    pub fn next_part(&mut self) -> Result<Option<Found>, HandsError> {
        if self.done {
            return Ok(None);
        }
        let part = match self.first.take() {
            Some(first) => first,
            None => self.hands.ask(&Request::SearchOn, found)?,
        };
        self.done = part.done;
        Ok(Some(part))
    }
}

/// A search for names that has begun.
#[derive(Debug)]
pub struct Finding<'a> {
    hands: &'a mut Hands,
    first: Option<FoundEntries>,
    done: bool,
}

impl Finding<'_> {
    /// The next part, or `None` once everything was told.
    pub fn next_part(&mut self) -> Result<Option<FoundEntries>, HandsError> {
        if self.done {
            return Ok(None);
        }
        let part = match self.first.take() {
            Some(first) => first,
            None => self.hands.ask(&Request::FindOn, entries)?,
        };
        self.done = part.done;
        Ok(Some(part))
    }
}

fn entries(answer: Answer) -> Option<FoundEntries> {
    match answer {
        Answer::FoundEntries(entries) => Some(entries),
        _ => None,
    }
}

fn found(answer: Answer) -> Option<Found> {
    match answer {
        Answer::Found(found) => Some(found),
        _ => None,
    }
}
