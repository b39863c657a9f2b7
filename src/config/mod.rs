//! What can be set: `casefile.yaml`, the limits, and where each value came from.

pub mod limits;
