//! Stock that stands whatever the demand, and stock of the item that this one supersedes.

use crate::plan_sku::input::ItemSupply;
use crate::plan_sku::stage::Scratch;
use crate::policy::order::{Needs, RawOrder, Target, mean};
use crate::policy::projection::{Opening, Shortage, project, rank};
use crate::policy::reason::{Reason, codes};

/// Of one place, or summed over an echelon; smallest units, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// On the shelf: it may sell, but is wanted back.
    pub presentation: i64,
    /// Kept back when others ask.
    pub reserve: i64,
    /// Of the item that this one supersedes.
    pub predecessor: i64,
}

impl Standing {
    pub(super) fn add(&mut self, other: Standing) {
        self.presentation = self.presentation.saturating_add(other.presentation);
        self.reserve = self.reserve.saturating_add(other.reserve);
        self.predecessor = self.predecessor.saturating_add(other.predecessor);
    }

    /// What has to be there beyond what the demand takes.
    pub(super) fn wanted(self) -> i64 {
        self.presentation.saturating_add(self.reserve)
    }

    /// To demand, a unit of the predecessor is a unit of stock.
    pub(super) fn sell_first(self, opening: &mut Opening) {
        opening.net = opening.net.saturating_add(self.predecessor);
        opening.unlotted = opening.unlotted.saturating_add(self.predecessor);
    }

    /// What the order has to bring beyond `raw` for the standing stock to be there when the next
    /// one arrives, at the target's level: stock to spare then is part of it.
    pub(super) fn lacking(
        self,
        scratch: &mut Scratch,
        opening: &Opening,
        shortage: Shortage,
        target: Target,
        raw: RawOrder,
    ) -> i64 {
        let wanted = self.wanted();
        if wanted == 0 || raw.qty > 0 {
            return wanted;
        }
        let spare = if opening.perishes() {
            // The needs of perishables know no spare: it is what the projection leaves.
            left_over(scratch, opening, shortage, target)
        } else {
            raw.spare
        };
        (wanted - spare).max(0)
    }

    /// How much of the presentation stock the mean path lacks as the order arrives. What is
    /// received between the two arrivals counts as there.
    pub(super) fn shelf_first(self, lack: &Needs, opening: &Opening) -> i64 {
        if self.presentation == 0 {
            return 0;
        }
        let waiting = mean(&lack.demand_until) - mean(&lack.window_demand);
        let sold = waiting - mean(&lack.lost_before);
        let gone = sold + mean(&lack.wasted_until);
        let there = opening.net as f64 + mean(&lack.received_until) - gone;
        (self.presentation as f64 - there.max(0.0)).ceil().max(0.0) as i64
    }

    pub(super) fn explain_predecessor(self, reason: &mut Reason, item: &ItemSupply) {
        reason.change(codes::PREDECESSOR, -self.predecessor, || {
            let qty = item.unit.show(self.predecessor);
            format!("{qty} of the item that it supersedes sell first.")
        });
    }

    /// `lacking` in the reason, the shelf's share of it first.
    pub(super) fn explain(self, reason: &mut Reason, item: &ItemSupply, lacking: i64) {
        let shelf = lacking.min(self.presentation);
        reason.change(codes::PRESENTATION, shelf, || {
            let (all, qty) = (item.unit.show(self.presentation), item.unit.show(shelf));
            format!("{all} have to stand on the shelf; {qty} of them would be lacking.")
        });
        reason.change(codes::RESERVE, lacking - shelf, || {
            let (all, qty) = (item.unit.show(self.reserve), item.unit.show(lacking - shelf));
            format!("{all} are to be kept in reserve; {qty} of them would be lacking.")
        });
    }
}

/// Stock without the order as the next one arrives, at the level below which the target's share of
/// paths does not fall.
fn left_over(scratch: &mut Scratch, opening: &Opening, shortage: Shortage, target: Target) -> i64 {
    let Scratch { demand, receipts, window, projection, .. } = scratch;
    if demand.days == 0 || demand.paths == 0 {
        return 0;
    }
    project(demand, receipts, opening, shortage, projection);
    let closing = &projection.closing;
    let ends = window.until.iter().enumerate().map(|(path, &until)| {
        let day = (until as usize).clamp(1, closing.days) - 1;
        closing.values[day * closing.paths + path] as i64
    });
    let mut ends: Vec<i64> = ends.collect();
    ends.sort_unstable_by_key(|&left| std::cmp::Reverse(left));
    let level = match target {
        Target::Cycle(level) | Target::Fill(level) => level,
        Target::Economics => 0.5,
    };
    ends[rank(level, ends.len())].max(0)
}
