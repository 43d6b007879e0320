//! Inventory policy: from demand paths, stock and supply terms to an order and its reason.

pub mod delivered;
pub mod lead_time;
pub mod lookahead;
pub mod order;
pub mod perishable;
pub mod price;
pub mod production;
pub mod projection;
pub mod reason;
pub mod returns;
pub mod rounding;
pub mod terms;
pub mod textbook;
pub mod unit;
pub mod walk;
