//! (being built)
pub mod import;
