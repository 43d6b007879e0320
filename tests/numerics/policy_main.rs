//! `models/policy`: laws, worked examples and brute force.

mod policy_fill;
mod policy_lead_time;
mod policy_lifo;
mod policy_order;
mod policy_projection;
mod policy_rounding;
