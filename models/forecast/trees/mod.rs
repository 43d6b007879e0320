//! Boosted trees over all series: what no single series and no straight line can tell.
//!
//! `bins` makes small whole numbers of features, `objective` says what is minimised, `grow` makes
//! one tree and `booster` many; `rows` makes features of a panel's days and `learner` learns from
//! them.

pub mod bins;
pub mod booster;
mod grow;
mod histogram;
pub mod objective;
mod score;
mod tree;
