//! What Granary itself would order: from joint demand paths and the money of each unit.

use super::batch::Batch;
use super::lumps;
use super::sober::sober;
use super::{Scratch, Situation};
use crate::policy::lookahead::{Lookahead, PeriodMoney};
use crate::policy::order::{Target, UnitMoney, needs, raw_quantity};

/// Orders for the interval from this order's arrival to the next order's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Granary {
    /// [`Target::Economics`] orders as long as a unit earns more than it costs.
    pub target: Target,
}

impl Default for Granary {
    fn default() -> Granary {
        Granary { target: Target::Economics }
    }
}

impl Granary {
    pub fn ask(&self, situation: &Situation, scratch: &mut Scratch) -> i64 {
        let Some(forecast) = situation.forecast else { return 0 };
        let (item, rules) = (situation.item, situation.rules);
        let paths = situation.plan.paths();
        let days = situation.plan.horizon();
        scratch.demand.reset(paths, days, 0.0);
        let history = situation.history;
        if !lumps::draw(forecast, history, rules.seed, &mut scratch.demand) {
            let forecast = sober(forecast, history, situation.protection_periods());
            scratch.demand.add_demand(&forecast.paths(situation.plan));
        }
        scratch.receipts.reset(paths, days, 0.0);
        for (day, qty) in situation.stock.due().enumerate().filter(|(_, qty)| *qty > 0) {
            scratch.receipts.add_on(day, qty as f64);
        }
        let arrive = (item.lead_periods - 1) as f64;
        let until = situation.protection_periods() as f64;
        scratch.window.arrive.clear();
        scratch.window.arrive.resize(paths, arrive);
        scratch.window.until.clear();
        scratch.window.until.resize(paths, until);
        let opening = situation.stock.opening(item, rules.issue);
        let Scratch { demand, receipts, needs: found, window, values, ahead } = scratch;
        needs(demand, receipts, &opening, window, rules.shortage, found);
        let batches = item.money.order > 0.0 || item.moq > 1;
        if self.target == Target::Economics && batches && !opening.perishes() {
            let batch = Batch::new(demand, receipts, found, window, item.money, rules.shortage);
            return batch.map_or(0, |batch| {
                let (reorder, up_to) = batch.levels(item.moq as f64);
                if reorder >= 0.0 { up_to.ceil() as i64 } else { 0 }
            });
        }
        if self.target != Target::Economics {
            return raw_quantity(found, self.target, UnitMoney::default(), values).qty;
        }
        look_ahead(situation).best_order(demand, receipts, &opening, window, ahead).qty
    }
}

/// Costs of a period as the lookahead takes them: what is left over makes later orders smaller.
fn look_ahead(situation: &Situation) -> Lookahead {
    let (money, rules) = (&situation.item.money, situation.rules);
    let money = PeriodMoney {
        unit_cost: 0.0,
        holding: money.holding,
        shortage: money.shortage,
        waste: money.waste,
        discount: 1.0,
    };
    let season = rules.forecast.seasons.first().copied().unwrap_or(1);
    Lookahead {
        season_days: season.min(situation.plan.horizon()) as u32,
        ..Lookahead::new(money, rules.shortage, rules.review_every_periods as u32)
    }
}
