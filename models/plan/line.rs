//! One line of `reorder_line`.

use crate::calendar::Day;
use crate::finding::Code;
use crate::plan::choice::Choice;
use crate::plan::gates::Evidence;
use crate::policy::reason::ReasonStep;
use crate::policy::terms::SupplyKind;
use crate::policy::unit::QtyUnit;

/// Where a line is in its life. A night proposes or holds; people and purchasing do the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineState {
    Proposed,
    Held,
    Approved,
    Released,
    Confirmed,
    Closed,
    Cancelled,
}

impl LineState {
    pub const ALL: [LineState; 7] = [
        LineState::Proposed,
        LineState::Held,
        LineState::Approved,
        LineState::Released,
        LineState::Confirmed,
        LineState::Closed,
        LineState::Cancelled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            LineState::Proposed => "proposed",
            LineState::Held => "held",
            LineState::Approved => "approved",
            LineState::Released => "released",
            LineState::Confirmed => "confirmed",
            LineState::Closed => "closed",
            LineState::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<LineState> {
        LineState::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The columns of `reorder_line`, and beside them what the gates look at.
#[derive(Clone, Debug, PartialEq)]
pub struct ReorderLine {
    /// See [`line_key`].
    pub line_key: String,
    pub kind: SupplyKind,
    pub state: LineState,
    pub item_id: String,
    /// Empty for a transfer.
    pub supplier_id: String,
    /// Empty for a purchase.
    pub source_location_id: String,
    pub location_id: String,
    /// Smallest units.
    pub qty: i64,
    /// In `order_uom`.
    pub order_qty: i64,
    pub order_uom: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    /// `qty` at `unit_cost_minor`.
    pub value_minor: i64,
    pub currency: String,
    pub order_on: Day,
    pub expected_on: Day,
    pub need_on: Day,
    /// 1 is the most urgent line of the run; 0 until [`super::assemble::assemble`] has ranked it.
    pub priority: u32,
    pub expected_value_minor: i64,
    pub reason: Vec<ReasonStep>,
    /// The gate that holds the line.
    pub held_because: Option<Code>,
    pub facts: LineFacts,
    /// Empty unless the planner's `with_choices` asks for it.
    pub choice: Choice,
}

/// What the gates compare a line with; smallest units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineFacts {
    /// Largest demand that the history saw over the protection interval.
    pub largest_demand_seen: Option<i64>,
    pub history_days: Option<u32>,
    pub daily_demand: f64,
    /// On hand and on order before the line, less what is promised.
    pub position: i64,
    pub multiple: i64,
    pub fill_without: f64,
    pub fill_with: f64,
    pub category: String,
    /// Per base unit, where known.
    pub weight_g: Option<i64>,
    pub volume_ml: Option<i64>,
    /// Smallest units in a base unit.
    pub per_base: i64,
    /// What a base unit and one `multiple` are called; see [`order_units`].
    pub base_uom: String,
    pub pack_uom: String,
    pub evidence: Evidence,
}

impl LineFacts {
    /// The item's unit; 10 to the number of decimals are a base unit.
    pub fn unit(&self) -> QtyUnit {
        let decimals = self.per_base.max(1).ilog10() as u8;
        QtyUnit { name: self.base_uom.clone(), decimals }
    }
}

/// What identifies a line: the same facts give the same key on every re-run of a business date,
/// e.g. `2025-10-20/purchase/A17/STORE-3/SUP-9`. A slash or percent sign in an id is escaped, so two
/// lines cannot share a key.
pub fn line_key(
    business_date: Day,
    kind: SupplyKind,
    item_id: &str,
    location_id: &str,
    supplier_id: &str,
    source_location_id: &str,
) -> String {
    let mut key = format!("{business_date}/{}", kind.as_str());
    for id in [item_id, location_id, supplier_id, source_location_id] {
        key.push('/');
        for letter in id.chars() {
            match letter {
                '/' => key.push_str("%2F"),
                '%' => key.push_str("%25"),
                other => key.push(other),
            }
        }
    }
    if source_location_id.is_empty() {
        key.pop();
    }
    key
}

/// A quantity as it is ordered: in packs where the multiple has a name and divides it, else in base
/// units where it is whole, else in the smallest unit.
pub fn order_units(qty: i64, unit: &QtyUnit, multiple: i64, pack_uom: &str) -> (i64, String) {
    if multiple > 1 && !pack_uom.is_empty() && qty % multiple == 0 {
        return (qty / multiple, pack_uom.to_owned());
    }
    let per_base = unit.per_base();
    if qty % per_base == 0 {
        return (qty / per_base, unit.name.clone());
    }
    (qty, format!("{:.*} {}", usize::from(unit.decimals), 1.0 / per_base as f64, unit.name))
}
