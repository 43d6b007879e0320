//! Forecasts that add up: the solver against the dense formula and its optimality conditions,
//! lasting bias against noise, and a market whose sums are known.

mod reconcile_bias;
mod reconcile_levels;
mod reconcile_solve;
#[allow(dead_code, reason = "its random numbers are what is wanted of it")]
mod retail;
