//! Forecasts of a hierarchy that add up: the least change, weighted by how far each forecast is
//! usually off, that makes every total the sum of its members (Hyndman, Ahmed, Athanasopoulos &
//! Shang 2011; weights by variance as in Wickramasuriya, Athanasopoulos & Hyndman 2019).

pub mod bias;
pub mod hierarchy;
pub mod solve;
