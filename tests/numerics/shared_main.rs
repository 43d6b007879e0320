//! `models/plan/settle`: limits that lines share.

mod shared_brute;
mod shared_help;
mod shared_laws;
mod shared_orders;
mod shared_settings;
