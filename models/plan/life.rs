//! The life of a line: what may happen to it in which state, in one table.

use crate::plan::line::LineState;

/// What happens to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineEvent {
    /// What people said of it no longer counts, and no gate stops it.
    Propose,
    /// A gate stops it, or what people said no longer lifts the gate.
    Hold,
    /// Enough people approve.
    Approve,
    /// It goes out.
    Release,
    /// It goes out by the job's rules alone, without anybody's approval.
    ReleaseByRule,
    /// A purchasing system has taken it.
    Confirm,
    /// Nothing more comes of it: it was received, or given up after its time.
    Close,
    /// It shall not be ordered, or a later revision takes its place.
    Cancel,
}

impl LineEvent {
    pub const ALL: [LineEvent; 8] = [
        LineEvent::Propose,
        LineEvent::Hold,
        LineEvent::Approve,
        LineEvent::Release,
        LineEvent::ReleaseByRule,
        LineEvent::Confirm,
        LineEvent::Close,
        LineEvent::Cancel,
    ];

    /// What is done to the line, for messages: `a closed line cannot be confirmed`.
    pub fn done(self) -> &'static str {
        match self {
            LineEvent::Propose => "proposed",
            LineEvent::Hold => "held",
            LineEvent::Approve => "approved",
            LineEvent::Release => "released",
            LineEvent::ReleaseByRule => "released without an approval",
            LineEvent::Confirm => "confirmed",
            LineEvent::Close => "closed",
            LineEvent::Cancel => "cancelled",
        }
    }
}

/// An event that the line's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {} line cannot be {}; it can be {}", .state.as_str(), .event.done(), possible(*.state))]
pub struct Illegal {
    pub state: LineState,
    pub event: LineEvent,
}

fn possible(state: LineState) -> String {
    let events: Vec<&str> = LineEvent::ALL
        .into_iter()
        .filter(|&event| next(state, event).is_some())
        .map(LineEvent::done)
        .collect();
    if events.is_empty() { "changed no more".to_owned() } else { events.join(", ") }
}

/// The table. What is not in it does not happen.
fn next(state: LineState, event: LineEvent) -> Option<LineState> {
    use LineState::{Approved, Cancelled, Closed, Confirmed, Held, Proposed, Released};
    match (state, event) {
        (Proposed | Approved, LineEvent::Propose) => Some(Proposed),
        (Proposed | Held | Approved, LineEvent::Hold) => Some(Held),
        (Proposed | Held | Approved, LineEvent::Approve) => Some(Approved),
        (Approved, LineEvent::Release) => Some(Released),
        (Proposed, LineEvent::ReleaseByRule) => Some(Released),
        (Released | Confirmed, LineEvent::Confirm) => Some(Confirmed),
        (Released | Confirmed, LineEvent::Close) => Some(Closed),
        (Proposed | Held | Approved | Released | Confirmed, LineEvent::Cancel) => Some(Cancelled),
        _ => None,
    }
}

impl LineState {
    /// The state after an event, or why it cannot happen.
    pub fn after(self, event: LineEvent) -> Result<LineState, Illegal> {
        next(self, event).ok_or(Illegal { state: self, event })
    }

    /// Whether some event leads from here to there.
    pub fn may_become(self, other: LineState) -> bool {
        LineEvent::ALL.into_iter().any(|event| next(self, event) == Some(other))
    }

    /// Out of the house and neither received nor given up: it counts as on order.
    pub fn is_in_force(self) -> bool {
        matches!(self, LineState::Released | LineState::Confirmed)
    }

    /// Nothing happens to it any more.
    pub fn is_final(self) -> bool {
        matches!(self, LineState::Closed | LineState::Cancelled)
    }
}
