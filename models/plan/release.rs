//! Which line goes out, at which quantity, and whose word that takes.
//!
//! A night proposes; people amend and approve; a release sends out what all of that comes to. Here is
//! what it comes to for one line, given what was said that still counts. Who said it when, and until
//! when it counts, is the caller's to know.

use serde::{Deserialize, Serialize};

use crate::plan::line::LineState;

/// A job's `[release]`. Amounts are minor units of the line's own currency; 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReleaseRules {
    /// Whether the night releases by itself what no gate and no limit stops. Default false.
    pub auto: bool,
    /// A line worth more is never released without an approval, and who amended it may not approve
    /// it. Default 1,000,000.
    pub approve_above_minor: i64,
    /// A line worth more takes the word of two people. Default 10,000,000.
    pub second_person_above_minor: i64,
    /// Days for which an override counts. Default 7.
    pub override_expires_days: u32,
    /// Days for which an approval counts. Default 7.
    pub approval_expires_days: u32,
    /// Days past its expected date for which a released line counts as on order although no order of
    /// the upstream shows it. After that it is closed. Default 7.
    pub on_order_days: u32,
}

impl Default for ReleaseRules {
    fn default() -> ReleaseRules {
        ReleaseRules {
            auto: false,
            approve_above_minor: 1_000_000,
            second_person_above_minor: 10_000_000,
            override_expires_days: 7,
            approval_expires_days: 7,
            on_order_days: 7,
        }
    }
}

/// A line of the plan as the night made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned<'a> {
    /// Smallest units.
    pub qty: i64,
    /// Per base unit.
    pub unit_cost_minor: i64,
    /// Smallest units in a base unit.
    pub per_base: i64,
    /// The gate that holds it, or empty.
    pub held_because: &'a str,
}

/// The newest revision of the line that was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReleased {
    pub revision: i64,
    pub state: LineState,
    /// Smallest units; 0 for a cancellation.
    pub qty: i64,
    pub value_minor: i64,
    /// What the night had proposed when it was released.
    pub proposed_qty: i64,
    /// Of the override that it followed; 0 for none.
    pub override_id: i64,
}

/// The override that counts. A quantity of 0 cancels the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amended<'a> {
    pub override_id: i64,
    pub qty: i64,
    pub author: &'a str,
    /// More than the gates allow, or against the supply terms.
    pub over_limits: bool,
}

/// A person's yes to a line as they saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval<'a> {
    pub person: &'a str,
    pub offer: Offer<'a>,
}

/// What an approval is of: another quantity, value, gate or revision is another offer, and the old
/// yes does not count for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer<'a> {
    /// That it would become.
    pub revision: i64,
    pub qty: i64,
    pub value_minor: i64,
    pub held_because: &'a str,
}

/// What all that was said of a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To order so much, for the first time.
    Order { qty: i64 },
    /// What was released should be so much instead.
    Revision { revises: i64, qty: i64 },
    /// What was released should not be.
    Cancellation { revises: i64 },
    /// What was released is what is wanted.
    AsReleased,
    /// Nothing is to be ordered.
    Nothing,
}

impl Wanted {
    /// The word for the kind of change, as `released_line.change` has it.
    pub fn change(self) -> Option<&'static str> {
        match self {
            Wanted::Order { .. } => Some("order"),
            Wanted::Revision { .. } => Some("revision"),
            Wanted::Cancellation { .. } => Some("cancellation"),
            Wanted::AsReleased | Wanted::Nothing => None,
        }
    }

    pub fn revises(self) -> Option<i64> {
        match self {
            Wanted::Revision { revises, .. } | Wanted::Cancellation { revises } => Some(revises),
            Wanted::Order { .. } | Wanted::AsReleased | Wanted::Nothing => None,
        }
    }
}

/// Whose word an offer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need<'a> {
    /// Different people.
    pub people: usize,
    /// Whose approval does not count: the offer is their own.
    pub not: Option<&'a str>,
    pub because: &'static str,
}

/// Everything about one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement<'a> {
    pub wanted: Wanted,
    /// `None` where nothing is to be released.
    pub offer: Option<Offer<'a>>,
    pub need: Need<'a>,
    /// How many more people have to approve.
    pub missing: usize,
    /// The state of the plan's line.
    pub state: LineState,
}

impl Judgement<'_> {
    pub fn may_go(&self) -> bool {
        self.offer.is_some() && self.missing == 0
    }

    /// What one waits for, for people.
    pub fn waits_for(&self) -> String {
        let people = match self.missing {
            0 => return String::new(),
            1 => "an approval".to_owned(),
            more => format!("{more} approvals"),
        };
        match self.need.not {
            Some(author) => format!("{people} by another than {author}: {}", self.need.because),
            None => format!("{people}: {}", self.need.because),
        }
    }
}

/// Names that differ only in case or in blanks around them are one person.
pub fn same_person(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// What becomes of a line. `planned` is `None` where the plan does not have it any more.
pub fn judge<'a>(
    planned: Option<&Planned<'a>>,
    last: Option<&LastReleased>,
    amended: Option<&Amended<'a>>,
    approvals: &[Approval<'a>],
    rules: &ReleaseRules,
) -> Judgement<'a> {
    // What was released has used up the overrides of before.
    let amended =
        amended.filter(|amended| last.is_none_or(|last| amended.override_id > last.override_id));
    let wanted = wanted(planned.map_or(0, |planned| planned.qty), last, amended);
    let nobody = Need { people: 0, not: None, because: "" };
    let (revision, qty) = match wanted {
        Wanted::Order { qty } => (1, qty),
        Wanted::Revision { revises, qty } => (revises + 1, qty),
        Wanted::Cancellation { revises } => (revises + 1, 0),
        Wanted::AsReleased | Wanted::Nothing => {
            let state = match last {
                // What was cancelled after its release is no order, whoever still plans it.
                Some(last) if last.qty > 0 => last.state,
                _ => LineState::Cancelled,
            };
            return Judgement { wanted, offer: None, need: nobody, missing: 0, state };
        }
    };
    let held_because = planned.filter(|_| qty > 0).map_or("", |planned| planned.held_because);
    let now = planned.map_or(0, |planned| value_minor(qty, planned));
    // A change is judged by the larger of what it makes and what it unmakes.
    let value_minor = now.max(last.map_or(0, |last| last.value_minor));
    let offer = Offer { revision, qty, value_minor, held_because };
    let need = need(&offer, wanted, amended, rules);
    let missing = need.people.saturating_sub(voices(&offer, &need, approvals));
    let state = match (missing, need.people) {
        (0, 1..) => LineState::Approved,
        _ if held_because.is_empty() => LineState::Proposed,
        _ => LineState::Held,
    };
    Judgement { wanted, offer: Some(offer), need, missing, state }
}

fn value_minor(qty: i64, planned: &Planned) -> i64 {
    let per_base = i128::from(planned.per_base.max(1));
    let exact = i128::from(qty) * i128::from(planned.unit_cost_minor);
    let rounded = (exact + per_base / 2) / per_base;
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

fn wanted(planned_qty: i64, last: Option<&LastReleased>, amended: Option<&Amended>) -> Wanted {
    let Some(last) = last else {
        return match amended.map_or(planned_qty, |amended| amended.qty) {
            0 => Wanted::Nothing,
            qty => Wanted::Order { qty },
        };
    };
    if last.state.is_final() {
        return Wanted::AsReleased;
    }
    let qty = match amended {
        Some(amended) => amended.qty,
        // The night says what it said before, and what people made of it then still stands.
        None if planned_qty == last.proposed_qty => last.qty,
        None => planned_qty,
    };
    match qty {
        qty if qty == last.qty => Wanted::AsReleased,
        0 => Wanted::Cancellation { revises: last.revision },
        qty => Wanted::Revision { revises: last.revision, qty },
    }
}

fn need<'a>(
    offer: &Offer,
    wanted: Wanted,
    amended: Option<&Amended<'a>>,
    rules: &ReleaseRules,
) -> Need<'a> {
    let over = |limit: i64| limit > 0 && offer.value_minor > limit;
    let author = amended.map(|amended| amended.author);
    let over_limits = amended.is_some_and(|amended| amended.over_limits);
    let large = over(rules.approve_above_minor);
    // Below the limit who amends a line may also approve it.
    let not = author.filter(|_| large || over_limits);
    if over(rules.second_person_above_minor) {
        // The author of an override is the first of the two.
        let people = if author.is_some() { 1 } else { 2 };
        return Need { people, not: author, because: "its value takes two people" };
    }
    let because = if over_limits {
        "the override goes against a limit"
    } else if !offer.held_because.is_empty() {
        "a gate holds it"
    } else if large {
        "its value is over the job's limit"
    } else if !matches!(wanted, Wanted::Order { .. }) {
        "it changes what was released"
    } else if !rules.auto {
        "the job releases nothing by itself"
    } else {
        return Need { people: 0, not, because: "" };
    };
    Need { people: 1, not, because }
}

/// Different people who approve this very offer.
fn voices(offer: &Offer, need: &Need, approvals: &[Approval]) -> usize {
    let mut people: Vec<&str> = Vec::new();
    for approval in approvals.iter().filter(|approval| approval.offer == *offer) {
        let own = need.not.is_some_and(|author| same_person(author, approval.person));
        if !own && !people.iter().any(|person| same_person(person, approval.person)) {
            people.push(approval.person);
        }
    }
    people.len()
}
