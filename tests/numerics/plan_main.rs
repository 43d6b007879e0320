//! `models/plan` and `models/plan_sku`: whole items.

mod plan_gates;
mod plan_help;
mod plan_netting;
mod plan_network;
mod plan_replay;
