//! From proposal to order, on both databases.

#[path = "../../faults/invariants.rs"]
mod invariants;
#[path = "../support/mod.rs"]
mod support;

mod checker;
mod commands;
mod desk;
mod guard;
mod life;
mod lift;
mod nights;
mod on_order;
mod people;
mod random;
mod rerun;
mod switches;
