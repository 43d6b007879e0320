//! What a run is told: exit codes and job files.

mod exit;

pub use exit::{Exit, Refused};
