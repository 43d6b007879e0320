//! `models/policy/lookahead`: exact costs against the optimum, laws, and the decision of a night.

#[path = "lookahead/exact.rs"]
mod exact;
#[path = "lookahead/laws.rs"]
mod laws;
#[path = "lookahead/night.rs"]
mod night;
#[path = "lookahead/truth.rs"]
mod truth;
