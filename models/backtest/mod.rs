//! Rolling-origin backtests: what every model would have forecast, how good it was, and which one
//! makes tonight's forecast.

pub mod analyst;
pub mod choose;
pub mod finish;
pub mod judge;
pub mod panel;
pub mod scores;
pub mod spread;
pub mod trial;
