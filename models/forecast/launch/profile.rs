//! How sales run over the weeks since a launch, relative to the level they settle at.

use crate::calendar::Day;
use crate::series::Series;

use super::DayFactors;

/// Weeks since launch that the curve tells apart; later ones sell as the last of them.
pub const CURVE_WEEKS: usize = 26;
/// From this week on the level counts as settled: the curve's mean over the rest is 1.
const SETTLED_FROM: usize = 8;
/// Launches' worth of belief that a week continues the one before it, in proportion to the base.
const CONTINUITY_LAUNCHES: f64 = 2.0;
/// Share of the dispersion that keeps large launches from ruling the curve: 1 would give each
/// launch the same say and miss what the large ones sell early, 0 would listen to them alone.
const VOLUME_DAMPING: f64 = 0.1;
const ROUNDS: usize = 10;

/// Units and exposure by week since launch. A day's exposure is its available share times its
/// calendar factor, so that units / exposure estimates an ordinary fully available day. A day cut
/// short by a stock-out keeps both its sales and its shorter exposure: by Wald's identity the
/// ratio of their sums has no bias, whereas leaving such days out drops those that sold best.
#[derive(Clone, Debug, PartialEq)]
pub struct WeekSums {
    pub units: [f64; CURVE_WEEKS],
    pub exposure: [f64; CURVE_WEEKS],
}

/// The usable days of a series: (date, units, exposure).
pub fn exposed_days<'a>(
    history: Series<'a>,
    factors: DayFactors<'a>,
) -> impl Iterator<Item = (Day, f64, f64)> + 'a {
    (0..)
        .zip(history.sold.iter().zip(history.available))
        .map(move |(k, (&sold, &available))| {
            let day = history.start + k;
            let usable = sold.is_finite() && sold >= 0.0 && available > 0.0;
            let exposure =
                if usable { f64::from(available.min(1.0)) * factors.on(day) } else { 0.0 };
            (day, if exposure > 0.0 { sold } else { 0.0 }, exposure)
        })
        .filter(|&(_, _, exposure)| exposure > 0.0)
}

/// Week of a launch that a day falls in, without a limit; `None` before it.
pub fn week_since(launched: Day, day: Day) -> Option<usize> {
    usize::try_from(day - launched).ok().map(|days| days / 7)
}

impl WeekSums {
    const NOTHING: WeekSums = WeekSums { units: [0.0; CURVE_WEEKS], exposure: [0.0; CURVE_WEEKS] };

    /// The launch itself: nothing beyond the curve's last week.
    pub fn first(launched: Day, history: Series, factors: DayFactors) -> WeekSums {
        let mut sums = WeekSums::NOTHING;
        for (day, units, exposure) in exposed_days(history, factors) {
            if let Some(week) = week_since(launched, day).filter(|&week| week < CURVE_WEEKS) {
                sums.units[week] += units;
                sums.exposure[week] += exposure;
            }
        }
        sums
    }

    /// From the day `from` on; what lies beyond the last week is as settled as that and joins it.
    pub fn recent(launched: Day, from: Day, history: Series, factors: DayFactors) -> WeekSums {
        let mut sums = WeekSums::NOTHING;
        for (day, units, exposure) in exposed_days(history, factors).filter(|day| day.0 >= from) {
            if let Some(week) = week_since(launched, day) {
                sums.units[week.min(CURVE_WEEKS - 1)] += units;
                sums.exposure[week.min(CURVE_WEEKS - 1)] += exposure;
            }
        }
        sums
    }
}

/// Demand by week since launch over the settled level.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    by_week: [f64; CURVE_WEEKS],
}

/// Dispersion of what launches sold about their own level times the curve, beyond Poisson: φ of
/// `var = mu + φ mu²`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapeDispersion {
    /// Of a single week.
    pub week: f64,
    /// Of a run of four weeks, the first four since launch.
    pub first_month: f64,
    /// Of a run of four weeks, later.
    pub later_month: f64,
}

impl ShapeDispersion {
    /// Where no launch tells.
    pub const UNSEEN: ShapeDispersion =
        ShapeDispersion { week: 0.1, first_month: 0.05, later_month: 0.05 };
}

impl Curve {
    pub fn flat() -> Curve {
        Curve { by_week: [1.0; CURVE_WEEKS] }
    }

    pub fn week(&self, week: usize) -> f64 {
        self.by_week[week.min(CURVE_WEEKS - 1)]
    }

    /// Exposure in ordinary days at the settled level.
    pub fn settled_exposure(&self, sums: &WeekSums) -> f64 {
        sums.exposure.iter().zip(&self.by_week).map(|(exposure, share)| exposure * share).sum()
    }

    /// Two-way multiplicative fit `units ≈ level × curve × exposure`, alternating over launches and
    /// weeks; `phi` is the dispersion of a week. A median of the level-normalised weeks would be 0
    /// for most slow items; the weighted mean with residuals clipped at four standard deviations
    /// is robust too and keeps totals unbiased. Where launches say little, a week stands to the
    /// one before it as in `base`. Weights need not sum to anything.
    pub fn fit(launches: &[(f64, &WeekSums)], base: &Curve, phi: f64) -> Curve {
        let mut curve = base.clone();
        if launches.is_empty() {
            return curve;
        }
        let unit = launches_per_weight(launches);
        for round in 0..ROUNDS {
            let levels: Vec<f64> =
                launches.iter().map(|(_, sums)| curve.level(sums, phi)).collect();
            for week in 0..CURVE_WEEKS {
                let now = curve.by_week[week];
                let (mut seen, mut expected) = (0.0, 0.0);
                for (&(weight, sums), &level) in launches.iter().zip(&levels) {
                    let mean = sums.exposure[week] * level * now;
                    if mean > 0.0 {
                        let information = unit * weight / (1.0 + VOLUME_DAMPING * phi * mean);
                        let reach = 4.0 * (mean + phi * mean * mean).sqrt();
                        let units = if round < 2 {
                            sums.units[week]
                        } else {
                            sums.units[week].clamp(mean - reach, mean + reach)
                        };
                        seen += information * units;
                        expected += information * mean;
                    }
                }
                let beside = if week == 0 { 1 } else { week - 1 };
                let continued = base.by_week[week] * curve.by_week[beside] / base.by_week[beside];
                let belief = CONTINUITY_LAUNCHES / phi.max(0.02);
                let ratio = (seen + belief * continued / now) / (expected + belief);
                curve.by_week[week] = (now * ratio).clamp(1e-3, 1e3);
            }
        }
        curve.normalise();
        curve
    }

    /// Units per ordinary day at the settled level, given this curve.
    fn level(&self, sums: &WeekSums, phi: f64) -> f64 {
        let crude = self.settled_exposure(sums);
        let units: f64 = sums.units.iter().sum();
        if !(crude > 0.0 && units > 0.0) {
            return 0.0;
        }
        let crude_level = units / crude;
        let (mut seen, mut exposed) = (0.0, 0.0);
        for week in 0..CURVE_WEEKS {
            let exposure = sums.exposure[week] * self.by_week[week];
            let information = 1.0 / (1.0 + VOLUME_DAMPING * phi * crude_level * exposure);
            seen += information * sums.units[week];
            exposed += information * exposure;
        }
        seen / exposed
    }

    fn normalise(&mut self) {
        let settled = &self.by_week[SETTLED_FROM..];
        let mean = settled.iter().sum::<f64>() / settled.len() as f64;
        for share in &mut self.by_week {
            *share /= mean;
        }
    }

    /// How launches scatter about their own level times this curve, drawn towards `prior` as if by
    /// `prior_launches` more of them.
    pub fn scatter(
        &self,
        launches: &[(f64, &WeekSums)],
        phi: f64,
        prior: ShapeDispersion,
        prior_launches: f64,
    ) -> ShapeDispersion {
        let mut week = Moments::default();
        let mut first_month = Moments::default();
        let mut later_month = Moments::default();
        let unit = launches_per_weight(launches);
        for &(weight, sums) in launches {
            let level = self.level(sums, phi);
            let weight = weight * unit;
            for from in (0..CURVE_WEEKS).step_by(4) {
                let month = from..(from + 4).min(CURVE_WEEKS);
                let (mut units, mut mean, mut weeks) = (0.0, 0.0, 0);
                for w in month {
                    let expected = sums.exposure[w] * level * self.by_week[w];
                    week.add(sums.units[w], expected, phi, weight / CURVE_WEEKS as f64);
                    units += sums.units[w];
                    mean += expected;
                    weeks += usize::from(sums.exposure[w] > 0.0);
                }
                if weeks == 4 {
                    let (of_month, months) =
                        if from == 0 { (&mut first_month, 1.0) } else { (&mut later_month, 5.0) };
                    of_month.add(units, mean, phi, weight / months);
                }
            }
        }
        ShapeDispersion {
            week: week.dispersion(prior.week, prior_launches),
            first_month: first_month.dispersion(prior.first_month, prior_launches),
            later_month: later_month.dispersion(prior.later_month, prior_launches),
        }
    }
}

/// What brings the weights to sum to the number of launches that they are worth.
fn launches_per_weight(launches: &[(f64, &WeekSums)]) -> f64 {
    let total: f64 = launches.iter().map(|(weight, _)| weight).sum();
    let squares: f64 = launches.iter().map(|(weight, _)| weight * weight).sum();
    if squares > 0.0 { total / squares } else { 0.0 }
}

/// Moment estimate of φ in `var = mu + φ mu²`, each cell weighted by what it tells of φ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    excess: f64,
    information: f64,
}

impl Moments {
    /// Squared relative residuals past this are outliers, not dispersion.
    const SQUARE_MAX: f64 = 64.0;

    pub fn add(&mut self, units: f64, mean: f64, phi: f64, weight: f64) {
        if mean > 0.0 && weight > 0.0 {
            let share = phi * mean / (1.0 + phi * mean);
            let information = weight * share * share;
            let square = (units / mean - 1.0).powi(2).min(Moments::SQUARE_MAX.max(4.0 / mean));
            self.excess += information * (square - 1.0 / mean);
            self.information += information;
        }
    }

    /// Drawn towards `prior` as if by cells of information `strength`.
    pub fn dispersion(&self, prior: f64, strength: f64) -> f64 {
        ((self.excess + strength * prior) / (self.information + strength)).clamp(0.0, 4.0)
    }
}

/// Dispersion of single days about their own week's mean: needs no level and no curve.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayScatter {
    excess: f64,
    squares: f64,
}

impl DayScatter {
    /// From the weeks, counted from the series' start, of its last `days` days.
    pub fn of(history: Series, factors: DayFactors, days: usize) -> DayScatter {
        let mut scatter = DayScatter::default();
        let from = history.len().saturating_sub(days);
        let days: Vec<(Day, f64, f64)> = exposed_days(history, factors)
            .filter(|(day, _, _)| (*day - history.start) as usize >= from)
            .collect();
        for week in days.chunk_by(|a, b| {
            (a.0 - history.start).div_euclid(7) == (b.0 - history.start).div_euclid(7)
        }) {
            if week.len() < 4 {
                continue;
            }
            let units: f64 = week.iter().map(|day| day.1).sum();
            let exposure: f64 = week.iter().map(|day| day.2).sum();
            let rate = units / exposure;
            // E Σ(y − ŷ)² = Σ(mu + φ mu²)(1 − share of the day), for independent days.
            for &(_, sold, day_exposure) in week {
                let mean = rate * day_exposure;
                let free = 1.0 - day_exposure / exposure;
                scatter.excess += (sold - mean).powi(2) - mean * free;
                scatter.squares += mean * mean * free;
            }
        }
        scatter
    }

    /// φ over all series; summed in their order, so that threads change nothing.
    pub fn dispersion(scatters: &[DayScatter]) -> f64 {
        let excess: f64 = scatters.iter().map(|scatter| scatter.excess).sum();
        let squares: f64 = scatters.iter().map(|scatter| scatter.squares).sum();
        if squares > 0.0 { (excess / squares).clamp(0.0, 4.0) } else { 0.0 }
    }
}
