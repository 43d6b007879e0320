//! The most profitable lot of one item, and what is promised beside it.

use crate::finding::{Code, Finding};

use super::demand::NetDemand;
use super::terms::CheckedTerms;
use super::{ReasonStep, step};

/// One item's batch of tonight.
pub(super) struct Batch<'a> {
    pub demand: &'a NetDemand,
    pub terms: &'a CheckedTerms,
    /// On hand or already being made.
    pub covered: i64,
    /// Reserved units that nothing covers yet.
    pub promised: i64,
}

impl Batch<'_> {
    /// Expected gain of making `qty` now over making nothing, in minor units.
    pub fn profit_minor(&self, qty: i64) -> f64 {
        if qty <= 0 {
            return 0.0;
        }
        let sold = self.demand.expected_min((self.covered + qty) as usize)
            - self.demand.expected_min(self.covered as usize);
        self.terms.revenue_minor() * sold + self.terms.salvage_minor() * (qty as f64 - sold)
            - self.terms.cost_minor() * qty as f64
            - self.terms.0.setup_cost_minor as f64
    }

    /// The most profitable lot of at least `from`, the smaller of equals; `None` if there is none.
    pub fn best(&self, from: i64) -> Option<(i64, f64)> {
        let first = self.terms.lot_at_least(from);
        // A unit past the largest demand only loses its cost.
        let useful = self.demand.qty_max() as i64 - self.covered;
        let last = self.terms.lot_max().unwrap_or(i64::MAX).min(useful.max(first));
        let mut best: Option<(i64, f64)> = None;
        let mut qty = first;
        while qty <= last {
            let profit = self.profit_minor(qty);
            if best.is_none_or(|(_, most)| profit > most + 1e-9 * most.abs().max(1.0)) {
                best = Some((qty, profit));
            }
            qty += self.terms.0.multiple;
        }
        best
    }

    pub fn choose(&self, reason: &mut Vec<ReasonStep>, findings: &mut Vec<Finding>) -> i64 {
        if self.terms.lot_max() == Some(0) {
            let detail = format!(
                "the maker's capacity of {} is below the smallest lot of {}",
                self.terms.0.capacity.unwrap_or(0),
                self.terms.lot_at_least(0)
            );
            reason.push(step("no_lot", &detail, 0.0));
            findings.push(Finding::new(Code::BatchCapacityShort, detail));
            return 0;
        }
        let (free, free_profit) = self.best(0).unwrap_or((0, 0.0));
        reason.push(step("best_lot", "the most profitable lot", free as f64));
        reason.push(step("best_lot_profit", "minor units expected of it", free_profit));
        let economic = if free_profit > 0.0 { free } else { 0 };
        if economic == 0 {
            reason.push(step("unprofitable", "no lot is expected to earn its cost", free_profit));
        }
        if self.promised == 0 || economic >= self.promised {
            return economic;
        }
        self.keep_promise(economic, reason, findings)
    }

    /// The promise asks for more than the economics do.
    fn keep_promise(
        &self,
        economic: i64,
        reason: &mut Vec<ReasonStep>,
        findings: &mut Vec<Finding>,
    ) -> i64 {
        let promised = self.promised;
        let reachable = self.terms.lot_max().map_or(promised, |most| promised.min(most));
        if reachable < promised {
            findings.push(Finding::new(
                Code::BatchCapacityShort,
                format!(
                    "{promised} units are promised, but the maker's largest lot is {reachable}"
                ),
            ));
        }
        let Some((qty, profit)) = self.best(reachable) else {
            return economic;
        };
        let limit = self.loss_limit_minor();
        if profit < -limit {
            let detail = format!(
                "{promised} units are promised, but making {qty} loses {:.0} minor units, over the \
                 limit of {limit:.0}",
                -profit
            );
            reason.push(step("promise_refused", &detail, profit));
            findings.push(Finding::new(Code::PromiseNotCovered, detail));
            return economic;
        }
        reason.push(step("promise_kept", "raised to what is already paid for", qty as f64));
        if profit < 0.0 {
            findings.push(Finding::new(
                Code::BatchAtLoss,
                format!("{qty} units for {promised} promised lose {:.0} minor units", -profit),
            ));
        }
        qty
    }
    /// What may be lost at most to keep the promise.
    pub fn loss_limit_minor(&self) -> f64 {
        self.terms.0.loss_limit * self.terms.price_minor() * self.promised as f64
    }
}
