//! Pooled regression: what weekday, season, events, promotion, price and weather do to demand,
//! learned once per category and shrunk per item-location.
//!
//! Mean demand is `level * exp(x * (beta_category + delta_item))`. The effects are learned within
//! blocks of days, so that the level is never mistaken for one of them; the level is smoothed
//! afterwards on demand freed of its effects.

mod category;
mod cholesky;
mod columns;
mod events;
mod evidence;
pub mod explain;
pub mod features;
mod fit;
pub mod glm;
pub mod gram;
pub mod learn;
pub mod level;
pub mod newton;
mod pool;
mod prior;
mod rivals;
mod weather;
