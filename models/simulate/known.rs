//! What was the demand, and what of it was known at a review.

use crate::calendar::Day;
use crate::forecast::censor::{DayShare, expected_demand};
use crate::forecast::drivers::SeriesMeta;
use crate::series::Panel;
use crate::simulate::item::{PartialDemand, QTY_MAX, Rules, World};

/// The demand of one series in the simulated periods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// 0 where nothing is known of it.
    pub demand: Vec<i64>,
    /// Whether there is a record of it.
    pub known: Vec<bool>,
}

impl Truth {
    pub fn of(world: &World, rules: &Rules, series: usize) -> Truth {
        let own = world.panel.series(series);
        let made;
        let demand = match rules.partial_demand {
            PartialDemand::Recorded => own.sold,
            PartialDemand::Expected => {
                let season = rules.forecast.seasons.first().copied().unwrap_or(1);
                made = expected_demand(own.sold, own.available, season, &DayShare::default());
                &made
            }
        };
        let mut truth = Truth::default();
        for period in rules.first.until(rules.first + rules.periods as i32) {
            let at = usize::try_from(period - own.start).ok().filter(|&at| at < own.len());
            let seen = at.filter(|&at| own.available[at] > 0.0 && !demand[at].is_nan());
            let units = seen.map_or(0.0, |at| demand[at].round().clamp(0.0, QTY_MAX as f64));
            truth.demand.push(units as i64);
            truth.known.push(seen.is_some());
        }
        truth
    }
}

/// Sales and availability of one series as a policy has seen them, from the series' start on.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub sold: Vec<f64>,
    pub available: Vec<f32>,
}

impl Seen {
    /// The panel's record of the periods before `end`, and nothing of the later ones. A period that
    /// the table does not reach is one without a record.
    pub fn recorded(world: &World, rules: &Rules, series: usize, end: Day) -> Seen {
        let whole = world.panel.series(series);
        let length = (end - whole.start).max(0) as usize;
        let before = whole.before(end);
        let mut seen = Seen { sold: before.sold.to_vec(), available: before.available.to_vec() };
        if rules.partial_demand == PartialDemand::Recorded {
            let any = |available: &mut f32| *available = if *available > 0.0 { 1.0 } else { 0.0 };
            seen.available.iter_mut().for_each(any);
        }
        seen.sold.resize(length, 0.0);
        seen.available.resize(length, 0.0);
        seen
    }

    pub fn push(&mut self, sold: f64, available: f32) {
        self.sold.push(sold);
        self.available.push(available);
    }

    pub fn anything(&self) -> bool {
        self.available.iter().any(|&available| available > 0.0)
    }

    /// Sales as a business that keeps no availability would take them for demand; NaN where there
    /// was nothing to sell.
    pub fn as_demand(&self) -> Vec<f64> {
        let pairs = self.sold.iter().zip(&self.available);
        pairs.map(|(&sold, &share)| if share > 0.0 { sold } else { f64::NAN }).collect()
    }
}

/// What a forecast may see, for the series of which anything is known.
#[derive(Clone, Debug, Default)]
pub struct KnownPanel {
    pub panel: Panel,
    pub meta: Vec<SeriesMeta>,
    /// Place of each series of the world in `panel`.
    pub place: Vec<Option<usize>>,
}

impl KnownPanel {
    /// `seen` has one entry per series of the world, in its order. Of the periods after `end` only
    /// promotions and asked prices are taken, `horizon` of them.
    pub fn new<'a>(
        world: &World,
        horizon: usize,
        seen: impl Iterator<Item = &'a Seen>,
    ) -> KnownPanel {
        let panel = Panel { offsets: vec![0], horizon_days: horizon, ..Panel::default() };
        let mut known = KnownPanel { panel, ..KnownPanel::default() };
        for (series, seen) in seen.enumerate() {
            if !seen.anything() {
                known.place.push(None);
                continue;
            }
            known.place.push(Some(known.meta.len()));
            known.meta.push(world.meta[series]);
            let panel = &mut known.panel;
            panel.start.push(world.panel.start[series]);
            panel.sold.extend(&seen.sold);
            panel.available.extend(&seen.available);
            panel.offsets.push(panel.sold.len());
            push_drivers(world, series, seen.sold.len(), panel);
        }
        known
    }
}

/// Promotions as they are; prices over the median of those asked until now.
fn push_drivers(world: &World, series: usize, length: usize, panel: &mut Panel) {
    let drivers = world.panel.drivers(series);
    let until = length + panel.horizon_days;
    let at = |values: &[f32], k: usize, other: f32| {
        values.get(k).copied().filter(|value| !value.is_nan()).unwrap_or(other)
    };
    panel.promo_depth.extend((0..until).map(|k| at(drivers.promo_depth, k, 0.0)));
    let asked = &drivers.price_ratio[..length.min(drivers.price_ratio.len())];
    let mut asked: Vec<f32> = asked.iter().copied().filter(|price| !price.is_nan()).collect();
    if asked.is_empty() {
        panel.price_ratio.extend((0..until).map(|_| 1.0));
        return;
    }
    let middle = asked.len() / 2;
    let usual = *asked.select_nth_unstable_by(middle, f32::total_cmp).1;
    panel.price_ratio.extend((0..until).map(|k| at(drivers.price_ratio, k, usual) / usual));
}
