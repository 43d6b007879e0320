//! Why a quantity is what it is, as arithmetic that can be done again.

use serde::Serialize;

/// One step from need to final quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonStep {
    /// Stable code, one of those in [`codes`].
    pub step: &'static str,
    /// One plain sentence with its numbers.
    pub text: String,
    /// Smallest units; what it is to the sum follows from the code.
    pub value: i64,
}

pub mod codes {
    // Terms of the sum, signed as they enter it.
    pub const EXPECTED_DEMAND: &str = "expected_demand";
    pub const LOST_BEFORE_ARRIVAL: &str = "lost_before_arrival";
    pub const SAFETY_STOCK: &str = "safety_stock";
    pub const SPARE: &str = "spare";
    pub const ON_HAND: &str = "on_hand";
    pub const CHILD_STOCK: &str = "child_stock";
    pub const RESERVED: &str = "reserved";
    pub const BACKORDERED: &str = "backordered";
    pub const EXPIRING: &str = "expiring";
    pub const OPEN_ORDERS: &str = "open_orders";
    pub const PREDECESSOR: &str = "predecessor";
    pub const PRESENTATION: &str = "presentation";
    pub const RESERVE: &str = "reserve";
    pub const OTHER_LINES: &str = "other_lines";
    pub const PRICE_BREAK: &str = "price_break";
    pub const MOQ: &str = "moq";
    pub const MULTIPLE: &str = "multiple";
    pub const CAPACITY: &str = "capacity";
    pub const SHELF_LIFE: &str = "shelf_life";
    pub const PHASE_OUT: &str = "phase_out";
    pub const PRESALE: &str = "presale";
    pub const ROOM: &str = "room";
    pub const DC_SHORT: &str = "dc_short";
    pub const DC_RESERVE: &str = "dc_reserve";
    pub const LATERAL: &str = "lateral";
    pub const NOT_WORTH_IT: &str = "not_worth_it";
    pub const OVER_CAPACITY: &str = "over_capacity";
    // What limits that lines share made of it, after all lines were planned.
    pub const BUDGET: &str = "budget";
    pub const SUPPLIER_CAPACITY: &str = "supplier_capacity";
    pub const SUPPLIER_MINIMUM: &str = "supplier_minimum";
    pub const CONTAINER: &str = "container";
    pub const FROZEN: &str = "frozen";
    pub const KEPT: &str = "kept";
    pub const ORDER_DAY: &str = "order_day";
    pub const SHORT_DELIVERY: &str = "short_delivery";
    pub const RETURNS: &str = "returns";
    pub const FIXED_COST: &str = "fixed_cost";
    // Facts that the sum does not contain.
    pub const SERVICE_TARGET: &str = "service_target";
    pub const PROTECTION_INTERVAL: &str = "protection_interval";
    pub const CLOSED: &str = "closed";
    pub const WORTH_HERE: &str = "worth_here";
    pub const WORTH_THERE: &str = "worth_there";
    pub const FREIGHT: &str = "freight";
    pub const SOURCE: &str = "source";
    pub const ORDER_DAYS: &str = "order_days";
    /// By how much looking beyond the next order changed the need.
    pub const LOOKAHEAD: &str = "lookahead";
    // Sums so far.
    pub const NET_NEED: &str = "net_need";
    pub const FINAL: &str = "final";
}

/// What a step is to the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Added to the sum.
    Term,
    /// Said beside the sum.
    Fact,
    /// The sum so far.
    Sum,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Term => "term",
            Role::Fact => "fact",
            Role::Sum => "sum",
        }
    }
}

/// By a step's code; a code that is not known is a term.
pub fn role(step: &str) -> Role {
    match step {
        codes::SERVICE_TARGET
        | codes::PROTECTION_INTERVAL
        | codes::CLOSED
        | codes::SOURCE
        | codes::ORDER_DAYS
        | codes::LOOKAHEAD
        | codes::WORTH_HERE
        | codes::WORTH_THERE
        | codes::FREIGHT => Role::Fact,
        codes::NET_NEED | codes::FINAL => Role::Sum,
        _ => Role::Term,
    }
}

/// The steps of one quantity; keeps the sum so that it cannot drift from the text.
#[derive(Clone, Debug, Default)]
pub struct Reason {
    steps: Vec<ReasonStep>,
    sum: i64,
}

impl Reason {
    /// Adds `value` to the sum.
    pub fn term(&mut self, step: &'static str, value: i64, text: String) {
        debug_assert!(role(step) == Role::Term);
        self.sum += value;
        self.steps.push(ReasonStep { step, text, value });
    }

    /// Adds a term only where it changes something.
    pub fn change(&mut self, step: &'static str, value: i64, text: impl FnOnce() -> String) {
        if value != 0 {
            self.term(step, value, text());
        }
    }

    pub fn fact(&mut self, step: &'static str, value: i64, text: String) {
        debug_assert!(role(step) == Role::Fact);
        self.steps.push(ReasonStep { step, text, value });
    }

    /// Records the sum so far.
    pub fn sum(&mut self, step: &'static str, text: impl FnOnce(i64) -> String) {
        debug_assert!(role(step) == Role::Sum);
        self.steps.push(ReasonStep { step, text: text(self.sum), value: self.sum });
    }

    pub fn value(&self) -> i64 {
        self.sum
    }

    pub fn steps(self) -> Vec<ReasonStep> {
        self.steps
    }
}

/// Changes the final quantity of finished steps by `value`, with a term before it, so that they still
/// recompute. `final_text` says the new quantity.
///
/// ```
/// use granary_models::policy::reason::{Reason, amend, codes, recompute};
/// let mut reason = Reason::default();
/// reason.term(codes::EXPECTED_DEMAND, 36, "36 are expected to be asked for.".into());
/// reason.sum(codes::FINAL, |qty| format!("Order {qty}."));
/// let mut steps = reason.steps();
/// amend(&mut steps, codes::BUDGET, -12, "The budget is short.".into(), |qty| format!("Order {qty}."));
/// assert_eq!(recompute(&steps), Some(24));
/// ```
pub fn amend(
    steps: &mut Vec<ReasonStep>,
    step: &'static str,
    value: i64,
    text: String,
    final_text: impl FnOnce(i64) -> String,
) {
    debug_assert!(role(step) == Role::Term);
    let before = steps.iter().filter(|s| role(s.step) == Role::Term).map(|s| s.value).sum::<i64>();
    steps.pop_if(|last| last.step == codes::FINAL);
    steps.push(ReasonStep { step, text, value });
    let qty = before + value;
    steps.push(ReasonStep { step: codes::FINAL, text: final_text(qty), value: qty });
}

/// Does the arithmetic again: adds every term, and compares with every sum on the way. `None` when
/// a sum disagrees or the last step is not the final quantity.
pub fn recompute(steps: &[ReasonStep]) -> Option<i64> {
    let mut sum = 0i64;
    for step in steps {
        match role(step.step) {
            Role::Term => sum = sum.checked_add(step.value)?,
            Role::Fact => {}
            Role::Sum if step.value == sum => {}
            Role::Sum => return None,
        }
    }
    (steps.last()?.step == codes::FINAL).then_some(sum)
}
