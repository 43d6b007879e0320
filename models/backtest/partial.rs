//! Days on which the stock ran out, as models are to see them.
//!
//! Days that sold out are days of high demand. What is fitted to them as well forecasts more than
//! what days that were seen whole can confirm, and only those can be scored. So the forecasts are
//! brought to the level of whole days, unless asked otherwise, and the partly available days tell
//! how demand moves rather than how high it is.

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::forecast::censor::{DayShare, expected_demand};
use crate::series::{FULLY_AVAILABLE, Panel, Series};

/// The mean of a series' whole days is drawn to that of all its days as if by so many days.
const LEVEL_PRIOR_DAYS: f64 = 2.0;
/// What is learned from a day on which the stock ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialDays {
    /// The demand that is to be expected given the sales and the share of the day that saw them,
    /// with forecasts at the level of days that were seen whole.
    #[default]
    Calibrated,
    /// The same at the level of all days: what would be asked for if the stock never ran out, as
    /// far as demand comes evenly over the selling hours.
    Expected,
    /// Nothing.
    Missing,
}

/// The panel that models are fitted to.
pub struct Training<'a> {
    pub panel: Cow<'a, Panel>,
    /// Per series, the level to which forecasts are brought: that of whole days over that of all.
    pub whole_days: Vec<f64>,
}

impl PartialDays {
    /// `known` gives ascending ends for each series: the days between two of them are made up for
    /// with what was known at the second, so that a trial sees nothing of what comes after.
    pub fn training(
        self,
        panel: &Panel,
        season: usize,
        known: impl Fn(usize) -> Vec<usize> + Sync,
    ) -> Training<'_> {
        let partly = panel.available.iter().any(|&a| a > 0.0 && a < FULLY_AVAILABLE);
        if self == PartialDays::Missing || !partly {
            let whole_days = vec![1.0; panel.len()];
            return Training { panel: Cow::Borrowed(panel), whole_days };
        }
        let share = DayShare::default();
        let made: Vec<(Vec<f64>, f64)> = (0..panel.len())
            .into_par_iter()
            .map(|i| {
                let series = panel.series(i);
                let mut demand: Vec<f64> = Vec::with_capacity(series.len());
                let mut level = 1.0;
                for (n, end) in known(i).into_iter().enumerate() {
                    let (sold, available) = (&series.sold[..end], &series.available[..end]);
                    let upto = expected_demand(sold, available, season, &share);
                    demand.extend(&upto[demand.len()..]);
                    if n == 0 && self == PartialDays::Calibrated {
                        level = whole_day_level(&series, &demand);
                    }
                }
                (demand, level)
            })
            .collect();
        let mut training = panel.clone();
        for (i, (demand, _)) in made.iter().enumerate() {
            let from = panel.offsets[i];
            for (day, &demand) in demand.iter().enumerate().filter(|(_, d)| !d.is_nan()) {
                training.sold[from + day] = demand;
                training.available[from + day] = 1.0;
            }
        }
        let whole_days = made.into_iter().map(|(_, level)| level).collect();
        Training { panel: Cow::Owned(training), whole_days }
    }
}

/// Mean of the whole days over the mean of all days that `demand` covers.
fn whole_day_level(series: &Series, demand: &[f64]) -> f64 {
    let (mut whole, mut all) = ((0.0, 0.0), (0.0, 0.0));
    for (&available, &demand) in series.available.iter().zip(demand) {
        if !demand.is_nan() {
            all = (all.0 + demand, all.1 + 1.0);
            if available >= FULLY_AVAILABLE {
                whole = (whole.0 + demand, whole.1 + 1.0);
            }
        }
    }
    if whole.1 == 0.0 || all.0 <= 0.0 {
        return 1.0;
    }
    let mean = all.0 / all.1;
    (whole.0 + LEVEL_PRIOR_DAYS * mean) / (whole.1 + LEVEL_PRIOR_DAYS) / mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;

    /// Demand of 10 and 20 by turns; the days of 20 sell out after 12.
    fn panel() -> Panel {
        let days = 60;
        let (mut sold, mut available) = (Vec::new(), Vec::new());
        for day in 0..days {
            let full = day % 2 == 0;
            sold.push(if full { 10.0 } else { 12.0 });
            available.push(if full { 1.0 } else { 0.6 });
        }
        Panel { offsets: vec![0, days], start: vec![Day(0)], sold, available, ..Panel::default() }
    }

    #[test]
    fn partly_available_days_are_made_up_for_and_whole_days_set_the_level() {
        let panel = panel();
        let all = PartialDays::Expected.training(&panel, 1, |_| vec![60]);
        let demand = all.panel.series(0).sold;
        assert!(demand[0] == 10.0 && (14.0..20.0).contains(&demand[1]), "{}", demand[1]);
        assert_eq!(all.whole_days[0], 1.0);
        let calibrated = PartialDays::Calibrated.training(&panel, 1, |_| vec![60]);
        let mean = demand.iter().sum::<f64>() / 60.0;
        assert!((calibrated.whole_days[0] * mean / 10.0 - 1.0).abs() < 0.05);
        let missing = PartialDays::Missing.training(&panel, 1, |_| vec![60]);
        assert_eq!(missing.panel.sold, panel.sold);
    }

    #[test]
    fn what_comes_after_an_end_does_not_change_what_is_before_it() {
        let mut panel = panel();
        let before = PartialDays::Calibrated.training(&panel, 1, |_| vec![30, 40]);
        let (days, level) = (before.panel.sold[..40].to_vec(), before.whole_days[0]);
        panel.sold[45] = 900.0;
        panel.available[51] = 0.1;
        let after = PartialDays::Calibrated.training(&panel, 1, |_| vec![30, 40]);
        assert_eq!((days.as_slice(), level), (&after.panel.sold[..40], after.whole_days[0]));
    }
}
