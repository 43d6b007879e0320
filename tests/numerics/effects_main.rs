//! What the pooled regression learns, and how it is fitted.

mod effects_glm;
mod effects_truth;
#[allow(dead_code, reason = "only its random numbers are used")]
mod retail;
