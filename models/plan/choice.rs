//! What else a line could order: the ground on which shared limits are settled.

/// Quantities that a line's source accepts, and what each is worth. Empty where nothing shared
/// limits the line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Smallest units, rising; the first is 0, and one of them is the line's own.
    pub qty: Vec<i64>,
    /// Expected money of each quantity over ordering nothing, minor units: sales saved, less holding
    /// and waste. Under a service target a sale saved is worth at least what its last lot needs,
    /// and more than the line's own quantity is worth no more: no other is better.
    pub value_minor: Vec<f64>,
    /// What the goods of each quantity cost, minor units.
    pub cost_minor: Vec<f64>,
}
