//! The service around `granary-models`: reading, running, publishing, showing.
//!
//! A module may use only those to its right:
//! `main → {cli, web, schedule} → jobs → {sources, store, export, config}`.

pub mod cli;
pub mod config;
pub mod export;
pub mod jobs;
pub mod schedule;
pub mod sources;
pub mod store;
pub mod web;
