//! What a run is told: exit codes and job files; and the words that reading and writing share.

mod actor;
mod batch;
mod database;
mod exit;
mod forms;
mod job;
mod reject;
mod secret;
mod tables;

pub use actor::{Actor, Operation, Role};
pub use batch::{
    Batch, Books, FileRead, Load, OnUnknown, Origin, Symbols, TableLoad, Unknown, Value, Values,
};
pub use database::Database;
pub use exit::{Exit, Refused};
pub use forms::{time_of_day, weekdays};
pub use job::{
    Defaults, ForecastSettings, Freshness, Job, JobKind, Overlap, Policy, Production, Schedule,
};
pub use reject::{Problem, RejectCode, Rejection};
pub use secret::Secret;
pub use tables::{ALL as ALL_TABLES, Column, Dimension, EVENT_KINDS, Form, Kind, Need, Table};
