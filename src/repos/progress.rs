//! How far long work is, for whoever waits for it.

/// Told of work that can take long. It is called often and from several threads,
/// so it has to be quick.
pub trait Progress: Sync {
    /// Something begins: what, and of how many parts, if that is known.
    fn begin(&self, what: &str, total: Option<u64>);
    /// So many parts are done, of those that were announced.
    fn at(&self, done: u64);
    /// A line worth keeping after the work is done.
    fn note(&self, line: &str);
}

/// Nobody waits.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    fn at(&self, _done: u64) {}
    fn note(&self, _line: &str) {}
}
