//! `models/plan` and `models/plan_sku`: whole items.

mod plan_calendars;
mod plan_choices;
mod plan_exceptions;
mod plan_gates;
mod plan_gates_laws;
mod plan_gates_run;
mod plan_help;
mod plan_life;
mod plan_lifecycle;
mod plan_nasty;
mod plan_netting;
mod plan_network;
mod plan_places;
mod plan_release;
mod plan_replay;
mod plan_source;
mod plan_supply;
