//! Pure mathematics of demand forecasting and replenishment.
//!
//! Nothing here does I/O, reads a clock or draws an unseeded random number: dates and seeds are
//! arguments, trouble with data is output (`(value, findings)`), and one bad SKU costs one line and
//! a finding. A module may use only those to its right:
//! `simulate → plan_sku → {backtest, plan} → {forecast, policy} → distribution → series →
//! {calendar, finding}`.

pub mod backtest;
pub mod calendar;
pub mod distribution;
pub mod finding;
pub mod forecast;
pub mod plan;
pub mod plan_sku;
pub mod policy;
pub mod series;
pub mod simulate;
