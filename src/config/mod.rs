//! What a run is told: exit codes and job files; and the words that reading and writing share.

mod access;
mod batch;
pub mod clock;
mod database;
mod exit;
pub mod faults;
mod forms;
mod job;
mod reject;
mod retention;
mod schedule;
mod secret;
pub mod source;
mod tables;
mod user;

pub use access::{Actor, Operation, Role};
pub use batch::{
    Batch, Books, ColumnSeen, FileRead, FileSeen, Load, OnUnknown, Origin, PullNote, Symbols,
    TableLoad, Unknown, Value, Values,
};
pub use database::Database;
pub use exit::{Exit, Refused};
pub use forms::{time_of_day, weekdays};
pub use job::{Defaults, ForecastSettings, Freshness, Job, JobKind, Policy, Production};
pub use reject::{Problem, RejectCode, Rejection};
pub use retention::Retention;
pub use schedule::{Overlap, Retry, Schedule};
pub use secret::Secret;
pub use source::Source;
pub use tables::{ALL as ALL_TABLES, Column, Dimension, EVENT_KINDS, Form, Kind, Need, Table};
pub use user::{ACTOR_VARIABLE, account, user};
