//! `models/simulate`: the order of events, the books, what is known when, and the policies.

mod simulate_books;
mod simulate_help;
mod simulate_knowledge;
mod simulate_policies;
