//! Rolling-origin backtests: what every model would have forecast, how good it was, and which one
//! makes tonight's forecast.

pub mod analyst;
pub mod checkpoint;
pub mod choose;
mod explain;
pub mod finish;
pub mod judge;
pub mod levels;
pub mod memory;
pub mod panel;
pub mod partial;
mod pick;
pub mod portfolio;
pub mod refit;
pub mod scores;
pub mod shapes;
pub mod spread;
pub mod stack;
mod taught;
pub mod trial;
