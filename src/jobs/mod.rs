//! What the service does: one file or folder per job, and what is due.

pub mod demo;
pub mod due;
//! What the service does: one file or folder per job.

pub mod demo;
pub mod import;
pub mod nightly;
