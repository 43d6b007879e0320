//! The textbook's models, solved exactly: one file a method.

pub mod check;
pub mod lot_sizing;
