//! Forecasts that add up: the solver against the dense formula and its optimality conditions,
//! lasting bias against noise.

mod reconcile_bias;
mod reconcile_solve;
