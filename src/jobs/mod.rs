//! What the service does: one job kind, one folder.

pub mod due;
pub mod nightly;
//! What the service does: one file or folder per job.

pub mod demo;
