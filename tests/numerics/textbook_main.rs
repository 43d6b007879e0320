//! `models/policy/textbook`: book cases by name, brute force, laws.

mod textbook_cases;
mod textbook_lot_sizing;
