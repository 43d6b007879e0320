//! The textbook's models, solved exactly: one file a method, and [`case::solve`] for all of them
//! as JSON. Each file is usable alone: parameters are checked once, by a type, and then solved.

pub mod case;
pub mod check;
pub mod demand;
pub mod eoq;
mod fields;
pub mod finite_horizon;
pub mod gsm_tree;
pub mod joint_replenishment;
pub mod lot_sizing;
mod models;
pub mod newsvendor;
pub mod normal;
pub mod r_q;
pub mod s_s;
pub mod safety_stock;
pub mod serial;

pub use case::{CaseError, solve};
