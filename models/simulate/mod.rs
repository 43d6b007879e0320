//! A policy replayed over history: at each review it sees what was known, orders, receives after
//! the lead time, sells or loses, and pays.
//!
//! Time is counted in periods. At the end of period `X` a policy decides, knowing sales through
//! `X`; its order is usable in period `X + L`. A period goes: receipts, demand, sale or loss (or
//! back-order), expiry, count; holding is paid on the count. On every line of the books
//! `opening + received - sold - wasted = closing`, which [`run::simulate`] checks as it writes them.

pub mod item;
pub mod known;
pub mod outlook;
pub mod policy;
pub mod run;
pub mod stock;
pub mod totals;
