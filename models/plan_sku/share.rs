//! A source's stock among those that ask for it.

use crate::finding::Code;
use crate::plan_sku::allot::{Claim, allot};
use crate::plan_sku::replenish::{Replenish, Wish};
use crate::policy::order::Target;
use crate::policy::projection::rank;
use crate::policy::reason::codes;
use crate::policy::rounding::Lot;
use crate::policy::terms::SupplyTerms;

impl Replenish<'_> {
    /// Shares what `source` has among those that ask for it, and decides again for whom it cuts.
    pub(super) fn share(&mut self, source: usize) {
        let asking: Vec<usize> = (0..self.wishes.len())
            .filter(|&i| {
                let wish = &self.wishes[i];
                wish.decision.qty > 0 && self.terms_of(wish).source == Some(source)
            })
            .collect();
        if asking.is_empty() {
            return;
        }
        let slowest = asking
            .iter()
            .map(|&i| self.terms_of(&self.wishes[i]).lead_time.quantile(0.5))
            .max()
            .unwrap_or(0);
        let standing = self.network.nodes[source].standing;
        let there = self.network.available(source, slowest);
        let kept = standing.wanted().min(there);
        let available = there - kept;
        let own_need = self.own_need(source);
        let own = own_need.as_ref().map(|(qty, need)| Claim {
            qty: *qty,
            lot: Lot { moq: 0, multiple: 1, capacity: None },
            need,
            worth: self.wishes[asking[0]].decision.money.margin_and_penalty,
            shelf_first: 0,
        });
        let keeps = usize::from(own.is_some());
        let claims: Vec<Claim> = own
            .into_iter()
            .chain(asking.iter().map(|&i| {
                let decision = &self.wishes[i].decision;
                Claim {
                    qty: decision.qty,
                    lot: decision.lot,
                    need: &decision.need,
                    worth: decision.money.margin_and_penalty,
                    shelf_first: decision.shelf_first,
                }
            }))
            .collect();
        let wanted: i64 = claims.iter().map(|claim| claim.qty).sum();
        let asked_by = claims.len();
        let given = allot(available, &claims);
        // But for the reserve there would have been enough.
        let for_reserve = wanted <= there;
        if wanted > available {
            let show = |qty: i64| self.item.unit.show(qty);
            let sent: i64 = given[keeps..].iter().sum();
            let kept = if kept > 0 { format!(", {} kept back", show(kept)) } else { String::new() };
            let detail = format!(
                "{} asked for by {asked_by} locations, {} there to send{kept}; {} sent",
                show(wanted),
                show(there),
                show(sent)
            );
            let code = if for_reserve { Code::ReserveKept } else { Code::DcShort };
            self.find(source, code, detail);
        }
        for (&wish, &qty) in asking.iter().zip(&given[keeps..]) {
            if qty < self.wishes[wish].decision.qty {
                let code = if for_reserve { codes::DC_RESERVE } else { codes::DC_SHORT };
                self.cut(wish, source, qty, code);
            }
            self.outgoing[source] += qty;
        }
    }

    fn terms_of(&self, wish: &Wish) -> &SupplyTerms {
        &self.network.nodes[wish.at].terms[wish.terms]
    }

    fn cut(&mut self, wish: usize, source: usize, qty: i64, code: &'static str) {
        let Wish { at, terms, next, already, with_backups, .. } = self.wishes[wish];
        let stage = self.network.stage(at, with_backups);
        let kept = self.network.nodes[source].standing.wanted();
        let kept = match kept {
            0 => String::new(),
            kept => format!(" and keeps back up to {}", self.item.unit.show(kept)),
        };
        let text = format!(
            "{} has {} to share{kept}: this location gets {}.",
            self.item.locations[source].location_id,
            self.item.unit.show(self.network.available(source, 0)),
            self.item.unit.show(qty)
        );
        let limit = Some((qty, code, text));
        self.wishes[wish].decision = self.decide(at, &stage, terms, next, already, limit);
    }

    /// What a source that sells itself keeps back until its own order arrives.
    fn own_need(&self, source: usize) -> Option<(i64, Vec<f64>)> {
        let demand = self.item.locations[source].demand.as_ref()?;
        let wish = self.wishes.iter().find(|wish| wish.at == source && wish.with_backups)?;
        let days = (wish.decision.median_arrival as usize).min(self.shape.days);
        if !self.shape.fits(demand) {
            return None;
        }
        // What it keeps back anyway and what the predecessor serves, it need not ask for.
        let standing = self.network.nodes[source].standing;
        let served = standing.predecessor.saturating_add(standing.reserve) as f64;
        let need: Vec<f64> = (0..self.shape.paths)
            .map(|path| {
                let asked = demand.path(path)[..days].iter();
                asked.map(|&d| f64::from(d.max(0.0))).sum::<f64>() - served
            })
            .collect();
        let level = match self.item.target.unwrap_or(self.config.target) {
            Target::Cycle(level) | Target::Fill(level) => level,
            Target::Economics => 0.5,
        };
        let mut sorted = need.clone();
        let at = rank(level, sorted.len());
        let qty = sorted.select_nth_unstable_by(at, f64::total_cmp).1.ceil() as i64;
        Some((qty.max(0), need))
    }
}
