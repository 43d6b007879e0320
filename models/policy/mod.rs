//! (being built)

pub mod production;
