//! What the service does: one file or folder per job, and what is due.

pub mod backfill;
pub mod backtest;
pub mod backup;
pub mod calendars;
pub mod demo;
pub mod due;
pub mod events;
pub mod import;
pub mod nightly;
pub mod purge;
pub mod release;
pub mod simulate;
pub mod sources;
pub mod timetable;
