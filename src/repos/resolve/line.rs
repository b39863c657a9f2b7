//! The line of a branch: its commits from first parent to first parent, and when
//! each came to be there.
//!
//! The order of the line is true, since a commit names its parent by a digest. Its
//! dates are what the clocks of people's machines said. So the largest set of commits
//! whose dates agree with their order is believed, and every other commit takes the
//! time of the one before it. One commit from 1970, one from 2099 or a run of them
//! then moves nothing else.

use git2::{Oid, Repository};

/// A commit of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Placed {
    pub(in super::super) id: Oid,
    /// What it says of itself, in seconds.
    pub(in super::super) dated: i64,
    /// When it came to be there, as far as can be told. Never falls along the line.
    pub(in super::super) at: i64,
}

/// The commits of a branch, the oldest first.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Line {
    pub(in super::super) commits: Vec<Placed>,
    /// Whether it goes back to the first commit of all.
    pub(in super::super) is_whole: bool,
}

/// How many commits in a row must be dated before the time that is asked for, each
/// another date, until what lies before them is taken to be older still. A run of
/// false dates is mostly one date many times over, which counts as one.
pub(in super::super) const PATIENCE: usize = 256;

impl Line {
    /// The line that ends at `tip`, as far back as it takes to tell what was there at
    /// `until`. Dates after `now` are not believed.
    pub(in super::super) fn walk(
        repo: &Repository,
        tip: Oid,
        until: i64,
        now: i64,
        patience: usize,
    ) -> Result<Self, git2::Error> {
        let mut line = Self::default();
        let mut next = Some(tip);
        let mut run = 0;
        while let Some(id) = next {
            if run == patience {
                break;
            }
            let commit = match repo.find_commit(id) {
                Ok(commit) => commit,
                // A shallow history, or one with a hole, begins here.
                Err(error) if line.commits.is_empty() => return Err(error),
                Err(_) => break,
            };
            let dated = commit.time().seconds();
            let is_another = line.commits.last().is_none_or(|after| after.dated != dated);
            run = if dated <= until { run + usize::from(is_another) } else { 0 };
            line.commits.push(Placed { id, dated, at: dated });
            next = commit.parent_ids().next();
        }
        line.is_whole = next.is_none();
        line.commits.reverse();
        line.place(now);
        if line.newest_at(until).is_none() && !line.is_whole && patience < usize::MAX {
            return Self::walk(repo, tip, until, now, usize::MAX);
        }
        Ok(line)
    }

    /// The end of a line that is all there by `now`, whatever its dates say.
    pub(in super::super) fn end(
        repo: &Repository,
        tip: Oid,
        now: i64,
    ) -> Result<Self, git2::Error> {
        let commit = repo.find_commit(tip)?;
        let parent = commit.parent_ids().next();
        let placed = |id, dated: i64| Placed { id, dated, at: dated.min(now) };
        let dated = commit.time().seconds();
        let before = parent.map(|id| placed(id, dated));
        let commits = before.into_iter().chain([placed(tip, dated)]).collect();
        Ok(Self { commits, is_whole: parent.is_none() })
    }

    /// Where the newest commit stands that was there at that time.
    pub(in super::super) fn newest_at(&self, time: i64) -> Option<usize> {
        self.commits.partition_point(|commit| commit.at <= time).checked_sub(1)
    }

    fn place(&mut self, now: i64) {
        let dates: Vec<i64> = self.commits.iter().map(|commit| commit.dated).collect();
        for (commit, at) in self.commits.iter_mut().zip(placed(&dates, now)) {
            commit.at = at;
        }
    }
}

/// When each came to be there, given their dates in order.
fn placed(dates: &[i64], now: i64) -> Vec<i64> {
    let believed = believed(dates, now);
    // Those before any that is believed were there no later than it.
    let mut at = believed.first().map_or(now, |first| dates[*first]);
    let mut next = believed.into_iter().peekable();
    dates
        .iter()
        .enumerate()
        .map(|(place, date)| {
            if next.next_if_eq(&place).is_some() {
                at = *date;
            }
            at
        })
        .collect()
}

/// The longest subsequence of dates that never falls, by places: for each length, the
/// one that ends lowest is kept, and each place remembers the one before it.
fn believed(dates: &[i64], now: i64) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; dates.len()];
    for (place, date) in dates.iter().enumerate().filter(|(_, date)| **date <= now) {
        let length = ends.partition_point(|end| dates[*end] <= *date);
        before[place] = length.checked_sub(1).map(|shorter| ends[shorter]);
        match ends.get_mut(length) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    let mut found: Vec<usize> =
        std::iter::successors(ends.last().copied(), |place| before[*place]).collect();
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::placed;

    #[test]
    fn a_false_date_moves_nothing_but_itself() {
        const NOW: i64 = 1_000;
        #[rustfmt::skip]
        let table: &[(&str, &[i64], &[i64])] = &[
            ("as it should be",     &[1, 2, 3],                 &[1, 2, 3]),
            ("the same second",     &[1, 2, 2, 3],              &[1, 2, 2, 3]),
            ("one from long ago",   &[10, 20, 0, 30],           &[10, 20, 20, 30]),
            ("one from later on",   &[10, 900, 20, 30],         &[10, 10, 20, 30]),
            ("one from the future", &[10, 20, 4_000],           &[10, 20, 20]),
            ("the tip, long ago",   &[10, 20, 0],               &[10, 20, 20]),
            ("a run of them",       &[10, 20, 30, 0, 0, 40, 50, 60], &[10, 20, 30, 30, 30, 40, 50, 60]),
            ("a run that rises",    &[10, 20, 30, 1, 2, 40, 50],     &[10, 20, 30, 30, 30, 40, 50]),
            ("the first is false",  &[500, 10, 20],             &[10, 10, 20]),
            ("all in the future",   &[4_000, 5_000],            &[1_000, 1_000]),
            ("two that disagree",   &[20, 10],                  &[10, 10]),
            ("none",                &[],                        &[]),
        ];
        for (what, dates, want) in table {
            assert_eq!(placed(dates, NOW), *want, "{what}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_dates_are_the_line_never_falls(dates: Vec<i16>, now: i16) {
            let dates: Vec<i64> = dates.into_iter().map(i64::from).collect();
            let placed = placed(&dates, now.into());
            prop_assert_eq!(placed.len(), dates.len());
            prop_assert!(placed.is_sorted());
            prop_assert!(placed.iter().all(|at| *at <= i64::from(now)));
        }

        #[test]
        fn dates_that_agree_are_all_believed(mut dates: Vec<i16>) {
            dates.sort_unstable();
            let dates: Vec<i64> = dates.into_iter().map(i64::from).collect();
            prop_assert_eq!(placed(&dates, i64::MAX), dates);
        }
    }
}
