//! One series as it was known day by day: demand recovered from what was sold, and its level,
//! neither ever looking ahead.

use crate::forecast::censor::DayShare;
use crate::series::{FULLY_AVAILABLE, Series};

/// Spread of a day's rate in the demand that is expected of a day that sold out.
const DISPERSION: f64 = 0.3;
/// A day that was open for less tells nothing.
const OPEN_MIN: f64 = 0.05;
/// Effective days of the slow level that the level is drawn to when it has seen little.
const SLOW_ALPHA: f64 = 0.02;
const SLOW_DAYS: f64 = 0.5;

/// What was known of one series on every day of its history.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Demand of each day, recovered where the stock ran out; NaN where nothing is known.
    pub demand: Vec<f32>,
    /// Whether demand was seen whole.
    pub whole: Vec<bool>,
    /// Demand over its effects before each day, and after the last; one longer than `demand`.
    pub level: Vec<f32>,
    /// Share of the selling hours with stock.
    pub available: Vec<f32>,
    /// Effects of each day of history and horizon, as factors.
    pub factor: Vec<f32>,
    /// Of these, those of events, as logarithms.
    pub events: Vec<f32>,
}

/// Sold over effects, exponentially discounted, with the exposure of days that sold out.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    sold: f64,
    effects: f64,
}

impl Rate {
    fn add(&mut self, alpha: f64, sold: f64, effects: f64) {
        self.sold = (1.0 - alpha) * self.sold + sold;
        self.effects = (1.0 - alpha) * self.effects + effects;
    }
}

impl Life {
    /// Follows a series with the effects `factor` and the weight `alpha` of its newest day.
    ///
    /// A day that was open for the share `a` and sold `s` adds `s` over an exposure of `a`, which is
    /// its maximum likelihood whatever ended it; what it would have sold is expected as
    /// [`crate::forecast::censor`] has it, with the level of the days before.
    pub fn follow(series: &Series, factor: Vec<f32>, events: Vec<f32>, alpha: f64) -> Life {
        let days = series.len();
        let share = DayShare::default();
        let mut life = Life {
            demand: Vec::with_capacity(days),
            whole: Vec::with_capacity(days),
            level: Vec::with_capacity(days + 1),
            available: series.available.to_vec(),
            factor,
            events,
        };
        let (mut quick, mut slow) = (Rate::default(), Rate::default());
        let level = |quick: &Rate, slow: &Rate| {
            let long = if slow.effects > 0.0 { slow.sold / slow.effects } else { 0.0 };
            (quick.sold + SLOW_DAYS * long) / (quick.effects + SLOW_DAYS)
        };
        for day in 0..days {
            let now = level(&quick, &slow);
            life.level.push(now as f32);
            let (sold, available) = (series.sold[day], series.available[day]);
            let whole = available >= FULLY_AVAILABLE;
            let open = if whole { 1.0 } else { share.of(available) };
            if open < OPEN_MIN || !(0.0..1e15).contains(&sold) {
                life.demand.push(f32::NAN);
                life.whole.push(false);
                continue;
            }
            let effects = f64::from(life.factor[day]);
            let mean = now * effects;
            let rest = if whole {
                0.0
            } else {
                (1.0 - open) * mean * (1.0 + DISPERSION * sold) / (1.0 + DISPERSION * open * mean)
            };
            life.demand.push((sold + rest) as f32);
            life.whole.push(whole);
            quick.add(alpha, sold, open * effects);
            slow.add(SLOW_ALPHA, sold, open * effects);
        }
        life.level.push(level(&quick, &slow) as f32);
        life
    }

    pub fn days(&self) -> usize {
        self.demand.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;

    fn follow(sold: &[f64], available: &[f32]) -> Life {
        let series = Series { start: Day(0), sold, available };
        Life::follow(&series, vec![1.0; sold.len()], vec![0.0; sold.len()], 0.1)
    }

    #[test]
    fn what_comes_later_changes_nothing() {
        let mut sold: Vec<f64> = (0..60).map(|day| f64::from(day % 7 + 3)).collect();
        let mut available: Vec<f32> = (0..60).map(|d| if d % 3 == 0 { 0.5 } else { 1.0 }).collect();
        let before = follow(&sold, &available);
        sold[40] = 900.0;
        available[41..].fill(0.0);
        let after = follow(&sold, &available);
        assert_eq!(before.demand[..40], after.demand[..40]);
        assert_eq!(before.level[..41], after.level[..41]);
        assert_ne!(before.level[41], after.level[41]);
    }

    #[test]
    fn half_days_count_for_their_hours() {
        // Ten an hour-share of one, five where half of the day was open.
        let sold: Vec<f64> = (0..200).map(|day| if day % 2 == 0 { 10.0 } else { 5.0 }).collect();
        let available: Vec<f32> = (0..200).map(|d| if d % 2 == 0 { 1.0 } else { 0.5 }).collect();
        let life = follow(&sold, &available);
        assert!((life.level[200] - 10.0).abs() < 0.2, "{}", life.level[200]);
        assert!((life.demand[199] - 10.0).abs() < 0.2, "{}", life.demand[199]);
    }
}
