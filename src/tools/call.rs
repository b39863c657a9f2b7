//! What can be asked of a session: one of the tools, with its arguments.

use serde::Serialize;

use super::background::Background;
use super::{Diff, Find, Grep, ReadFile, Shell, WriteFile};
use crate::outputs::Budget;

/// A tool and what it is asked.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Call {
    ReadFile(ReadFile),
    Grep(Grep),
    Find(Find),
    Shell(Shell),
    WriteFile(WriteFile),
    Background(Background),
    Diff(Diff),
}

impl Call {
    pub fn tool(&self) -> &'static str {
        match self {
            Self::ReadFile(_) => "read_file",
            Self::Grep(_) => "grep",
            Self::Find(_) => "find",
            Self::Shell(_) => "shell",
            Self::WriteFile(_) => "write_file",
            Self::Background(_) => "background",
            Self::Diff(_) => "case_diff",
        }
    }

    pub(super) fn arguments(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Whether the same answer twice is of no use.
    pub(super) fn repeats(&self) -> bool {
        matches!(self, Self::ReadFile(_) | Self::Grep(_) | Self::Find(_))
    }

    /// Whether what it gives is a part of a file of the case, so that it need not be
    /// kept once more.
    pub(super) fn is_a_file(&self) -> bool {
        matches!(self, Self::ReadFile(_) | Self::WriteFile(_))
    }

    /// How much of it is shown. What is read was asked for by its lines.
    pub(super) fn budget(&self, usual: Budget) -> Budget {
        match self {
            Self::ReadFile(_) => Budget::MAX,
            _ => usual,
        }
    }
}
