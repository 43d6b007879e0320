//! Boosted trees over all series: what no single series and no straight line can tell.
//!
//! `bins` makes small whole numbers of features, `objective` says what is minimised, `grow` makes
//! one tree and `booster` many. `life` follows each series without looking ahead, `groups` what
//! series of one kind had in common, `board` makes features of both, and `learner` learns from
//! them; `ahead` is what one series has of it.

pub mod ahead;
pub mod bins;
pub mod board;
pub mod booster;
pub mod groups;
mod grow;
mod histogram;
pub mod learner;
pub mod life;
pub mod objective;
mod score;
mod tree;
