//! From the lines of all items to one plan: order, priorities, gates.

pub mod assemble;
pub mod choice;
pub mod gates;
pub mod kpi;
pub mod line;
pub mod segment;
