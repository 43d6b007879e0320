//! (being built)

pub mod launch;
pub mod neighbours;
