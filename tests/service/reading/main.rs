//! Reading the plan: exports, pages and the clock, on a small database made by plain SQL.

mod export;
mod fixture;
mod schedule;
mod web;
