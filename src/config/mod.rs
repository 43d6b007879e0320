//! What a run is told: exit codes and job files.

mod exit;
mod job;

pub use exit::{Exit, Refused};
pub use job::{
    Defaults, ForecastSettings, Freshness, Job, JobKind, Overlap, Policy, Production, Schedule,
};
