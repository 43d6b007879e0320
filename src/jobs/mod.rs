//! What the service does: one job kind, one folder.

pub mod due;
pub mod nightly;
