//! `models/policy/textbook`: book cases by name, brute force, simulation, laws.

mod textbook_books;
mod textbook_brute;
mod textbook_cases;
mod textbook_fuzz;
mod textbook_laws;
mod textbook_lot_sizing;
mod textbook_simulation;
