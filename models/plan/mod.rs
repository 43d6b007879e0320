//! From the lines of all items to one plan: shared limits, order, priorities, gates.

pub mod assemble;
pub mod choice;
pub mod gates;
pub mod hysteresis;
pub mod kpi;
pub mod life;
pub mod limits;
pub mod line;
pub mod release;
pub mod segment;
pub mod settle;
mod share;
