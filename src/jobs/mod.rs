//! What the service does: one file or folder per job, and what is due.

pub mod backtest;
pub mod calendars;
pub mod demo;
pub mod due;
pub mod events;
pub mod import;
pub mod nightly;
pub mod release;
pub mod simulate;
