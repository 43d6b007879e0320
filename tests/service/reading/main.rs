//! Reading the plan: exports, pages and the clock, on a small database made by plain SQL.

#[path = "../support/database.rs"]
mod database;
mod export;
mod fixture;
#[path = "../support/postgres.rs"]
mod postgres;
mod schedule;
mod web;
