//! What the service does: one file or folder per job.

pub mod demo;
pub mod import;
pub mod nightly;
