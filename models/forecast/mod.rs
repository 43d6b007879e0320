//! (being built)

pub mod neighbours;
