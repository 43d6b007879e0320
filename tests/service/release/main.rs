//! From proposal to order, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod desk;
mod guard;
mod invariants;
mod life;
mod nights;
mod on_order;
mod people;
mod random;
mod rerun;
mod switches;
