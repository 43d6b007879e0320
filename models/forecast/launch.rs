//! Forecast of an item that has little or no history of its own.
//!
//! Three things are put together: a launch curve (demand by week since launch over the settled
//! level) from the neighbours that were launched within the history; a scale (units per ordinary
//! day once settled) that early views, favourites and carts predict, corrected by how the
//! neighbours sold against the same prediction; and a Gamma–Poisson update of that scale as the
//! item's own sales arrive (Gelman et al. 2013, "Bayesian Data Analysis", §2.6), whose prior is as
//! strong as the neighbours agree. By the thirteenth week the item speaks for itself.

mod local;
pub mod profile;
pub mod scale;

use rayon::prelude::*;

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::series::Series;

use local::{Neighbourhood, OwnSales};
use profile::{
    CURVE_WEEKS, Curve, DayScatter, ShapeDispersion, WeekSums, exposed_days, week_since,
};
use scale::{ScaleModel, ScaleObservation};

/// Days of history, the last ones, from which an item older than the history has its level.
const RECENT_DAYS: usize = 182;
/// Launches' worth of belief that the neighbours' stray from their curve as all launches do.
const POOLED_LAUNCHES: f64 = 4.0;
/// The prior fades between these weeks on sale, down to half a unit's worth.
const HANDOVER_WEEKS: (f64, f64) = (8.0, 13.0);
const PRIOR_UNITS_MIN: f64 = 0.5;

/// Expected demand of a day over an ordinary day's: weekday, season, holidays. 1 outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayFactors<'a> {
    pub start: Day,
    pub values: &'a [f32],
}

impl DayFactors<'_> {
    /// Every day is ordinary.
    pub const ORDINARY: DayFactors<'static> = DayFactors { start: Day(0), values: &[] };

    pub fn on(&self, day: Day) -> f64 {
        usize::try_from(day - self.start)
            .ok()
            .and_then(|k| self.values.get(k))
            .map(|&factor| f64::from(factor))
            .filter(|factor| factor.is_finite() && *factor > 0.0)
            .unwrap_or(1.0)
    }
}

/// Counts of shoppers' interest in an item over some days.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interest {
    pub views: f64,
    pub favourites: f64,
    pub carts: f64,
    /// Days that the counts cover; 0 where nothing is known.
    pub days: f64,
}

impl Interest {
    pub fn is_known(&self) -> bool {
        self.days.is_finite()
            && self.days > 0.0
            && self.counts().iter().all(|count| count.is_finite() && *count >= 0.0)
    }

    fn counts(&self) -> [f64; 3] {
        [self.views, self.favourites, self.carts]
    }
}

/// An item whose history a new one may borrow.
#[derive(Clone, Copy, Debug)]
pub struct Established<'a> {
    /// First day on sale; `None` for an item that was on sale before its history begins.
    pub launched: Option<Day>,
    pub history: Series<'a>,
    /// Measured as a new item's will be: the same signals, over any number of days.
    pub interest: Interest,
    pub factors: DayFactors<'a>,
}

/// An item to forecast.
#[derive(Clone, Copy, Debug)]
pub struct NewItem<'a> {
    /// First day on sale, past or planned; `None` for the first day of its sales or, where there
    /// are none, of the forecast.
    pub launched: Option<Day>,
    /// Own sales so far; empty before the launch.
    pub sales: Series<'a>,
    pub interest: Interest,
    pub factors: DayFactors<'a>,
}

/// An established item, by its place in the pool, and how much it counts, > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Analog {
    pub established: usize,
    pub weight: f64,
}

/// One step from the evidence to the forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchStep {
    pub step: &'static str,
    pub text: String,
    pub value: f64,
}

/// Demand of a new item, day by day.
#[derive(Clone, Debug, PartialEq)]
pub struct LaunchForecast {
    /// Units per day, calendar factors included; 0 before the launch.
    pub mean: Vec<f32>,
    /// φ of a day's `var = mu + φ mu²`, the uncertainty of the scale included.
    pub dispersion: f64,
    /// Share of the dispersion that the whole path has in common: a path is its days' means times
    /// one Gamma draw of mean 1 and variance `dispersion · correlation`, with each day negative
    /// binomial about that with φ = `day_dispersion()`.
    pub correlation: f64,
    /// Share of the item's own sales in its scale, 0..1.
    pub own_sales_weight: f64,
    pub reason: Vec<LaunchStep>,
}

impl LaunchForecast {
    /// Variance of the factor common to the path.
    pub fn path_variance(&self) -> f64 {
        self.dispersion * self.correlation
    }

    /// φ of a single day given the common factor: `(1 + φ) = (1 + common)(1 + day)`.
    pub fn day_dispersion(&self) -> f64 {
        ((1.0 + self.dispersion) / (1.0 + self.path_variance()) - 1.0).max(0.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    #[error("none of {items} established items sold anything on an available day")]
    NothingSold { items: usize },
}

/// What a run's established items teach about launches, fitted once.
#[derive(Clone, Debug)]
pub struct LaunchPool {
    members: Vec<Member>,
    curve: Curve,
    shape: ShapeDispersion,
    day_dispersion: f64,
    by_interest: Option<ScaleModel>,
    by_level: ScaleModel,
}

#[derive(Clone, Debug)]
struct Member {
    /// What it sold in its last `RECENT_DAYS`, in ordinary days; all there is without a launch.
    level: ScaleObservation,
    launch: Option<Launch>,
}

impl Member {
    /// Sales and exposure at the settled level of `curve`. Beside its interest an item has the
    /// days in which that was measured, the last ones; without it a launch is likest to a launch.
    fn seen(&self, by_interest: bool, curve: &Curve) -> ScaleObservation {
        match &self.launch {
            None => self.level,
            Some(launch) => {
                let sums = if by_interest { &launch.recent } else { &launch.first };
                ScaleObservation {
                    units: sums.units.iter().sum(),
                    exposure_days: curve.settled_exposure(sums),
                    interest: self.level.interest,
                    is_older: false,
                }
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Launch {
    /// The first weeks on sale, as far as the history has them: they teach the curve.
    first: WeekSums,
    /// The last days, by week since launch: they have the level, in the same days as the interest.
    recent: WeekSums,
}

impl LaunchPool {
    /// # Errors
    /// No established item sold anything, so that there is no scale to start from.
    pub fn fit(established: &[Established]) -> Result<(LaunchPool, Vec<Finding>), LaunchError> {
        let mut findings = Vec::new();
        let (members, scatters): (Vec<Member>, Vec<DayScatter>) = established
            .par_iter()
            .map(|item| (member(item), DayScatter::of(item.history, item.factors, RECENT_DAYS)))
            .unzip();
        let day_dispersion = DayScatter::dispersion(&scatters);
        let launches: Vec<(f64, &WeekSums)> = members
            .iter()
            .filter_map(|member| Some((1.0, &member.launch.as_ref()?.first)))
            .collect();
        if launches.is_empty() {
            findings.push(Finding::new(
                Code::NoLaunchSeen,
                format!("none of {} established items was launched in its history", members.len()),
            ));
        }
        let (curve, shape) = fit_pooled_curve(&launches);
        let observations = |by_interest: bool| -> Vec<ScaleObservation> {
            members.iter().map(|member| member.seen(by_interest, &curve)).collect()
        };
        let by_level = ScaleModel::fit(&observations(false), false)
            .ok_or(LaunchError::NothingSold { items: members.len() })?;
        let by_interest = ScaleModel::fit(&observations(true), true);
        Ok((LaunchPool { members, curve, shape, day_dispersion, by_interest, by_level }, findings))
    }

    /// Demand of `item` on the `horizon` days from `origin` on, the first day not yet sold.
    pub fn forecast(
        &self,
        item: &NewItem,
        analogs: &[Analog],
        origin: Day,
        horizon: usize,
    ) -> (LaunchForecast, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut reason = Vec::new();
        let neighbours: Vec<(f64, &Member)> = analogs
            .iter()
            .filter(|analog| analog.weight.is_finite() && analog.weight > 0.0)
            .filter_map(|analog| Some((analog.weight, self.members.get(analog.established)?)))
            .collect();
        if neighbours.is_empty() {
            findings.push(Finding::new(
                Code::NoNeighbours,
                format!("no neighbour; all {} established items stand in", self.members.len()),
            ));
        }
        let launches: Vec<(f64, &WeekSums)> = neighbours
            .iter()
            .filter_map(|&(weight, member)| Some((weight, &member.launch.as_ref()?.first)))
            .collect();
        let phi = self.shape.week.max(0.02);
        let curve = Curve::fit(&launches, &self.curve, phi);
        let shape = curve.scatter(&launches, phi, self.shape, POOLED_LAUNCHES);
        reason.push(step("neighbours", "established items it resembles", neighbours.len() as f64));
        reason.push(step("launches", "of them with a launch to learn from", launches.len() as f64));

        let prior = self.prior(item, &neighbours, &curve, &mut reason, &mut findings);
        let first_seen = if item.sales.is_empty() { origin } else { item.sales.start };
        let launched = item.launched.unwrap_or(first_seen);
        let own = OwnSales::of(item, &curve, launched, origin);
        let scale = self.update(prior, &own, shape.week, &mut reason);

        let mean: Vec<f32> = origin
            .until(origin + horizon as i32)
            .map(|day| match week_since(launched, day) {
                Some(week) => {
                    (scale.units_per_day * curve.week(week) * item.factors.on(day)) as f32
                }
                None => 0.0,
            })
            .collect();
        // Whole weeks, not a line through them: a line would cut off the peak of the first week.
        let age = week_since(launched, origin).unwrap_or(0);
        reason.push(step("curve", "demand of this week over the settled", curve.week(age)));
        // The first month strays furthest from the curve, but own sales have seen it stray.
        let of_month = match age {
            0..4 => shape.first_month + (shape.later_month - shape.first_month) * scale.own_weight,
            _ => shape.later_month,
        };
        let common = (1.0 + scale.dispersion) * (1.0 + of_month) - 1.0;
        let dispersion = (1.0 + common) * (1.0 + self.day_dispersion) - 1.0;
        let correlation = if dispersion > 0.0 { common / dispersion } else { 0.0 };
        reason.push(step("dispersion", "variance of a day beyond Poisson over mean²", dispersion));
        let own_sales_weight = scale.own_weight;
        (LaunchForecast { mean, dispersion, correlation, own_sales_weight, reason }, findings)
    }

    /// The scale before any own sale.
    fn prior(
        &self,
        item: &NewItem,
        neighbours: &[(f64, &Member)],
        curve: &Curve,
        reason: &mut Vec<LaunchStep>,
        findings: &mut Vec<Finding>,
    ) -> Prior {
        let model = match &self.by_interest {
            Some(model) if item.interest.is_known() => {
                let per_day = item.interest.views / item.interest.days;
                reason.push(step("interest", "views per day so far", per_day));
                model
            }
            _ => {
                findings.push(Finding::new(
                    Code::NoEarlyInterest,
                    "no views, carts or favourites; the neighbours' level stands".to_owned(),
                ));
                &self.by_level
            }
        };
        let estimate = model.predict(&item.interest, false);
        let local =
            Neighbourhood::of(neighbours, model, (&self.curve, curve), estimate.units_per_day);
        let prior = Prior {
            units_per_day: estimate.units_per_day * local.ratio,
            // Neighbours are as blurred as the item, being alike in what their interest promises.
            dispersion: estimate.dispersion - model.dispersion()
                + local.dispersion
                + estimate.blur * (1.0 - local.trust),
        };
        reason.push(step("expected", "units a day that the pool predicts", estimate.units_per_day));
        reason.push(step("neighbour_ratio", "sold over predicted, neighbours", local.ratio));
        reason.push(step(
            "prior",
            "units a day once settled, before own sales",
            prior.units_per_day,
        ));
        prior
    }

    /// Gamma–Poisson with the own sales' information cut to what days and weeks scatter.
    fn update(
        &self,
        prior: Prior,
        own: &OwnSales,
        week_dispersion: f64,
        reason: &mut Vec<LaunchStep>,
    ) -> Scale {
        let full = 1.0 / prior.dispersion;
        let least = full.min(PRIOR_UNITS_MIN);
        let shape = full + (least - full) * smooth_step(own.weeks, HANDOVER_WEEKS);

        let rough = (full + own.units) / (full / prior.units_per_day + own.exposure);
        // Var of the own units, Poisson, daily and weekly, over Var were they Poisson alone.
        let spread = 1.0
            + rough * (self.day_dispersion * own.day_squares + week_dispersion * own.week_squares)
                / own.exposure.max(f64::MIN_POSITIVE);
        let (units, exposure) = (own.units / spread, own.exposure / spread);
        let rate = shape / prior.units_per_day + exposure;
        let scale = Scale {
            units_per_day: (shape + units) / rate,
            dispersion: 1.0 / (shape + units),
            own_weight: exposure / rate,
        };
        if own.exposure > 0.0 {
            reason.push(step(
                "own_sales",
                "units sold so far, recent ones counting more",
                own.units,
            ));
            reason.push(step("own_weight", "share of own sales in the scale", scale.own_weight));
        }
        reason.push(step("scale", "units a day once settled", scale.units_per_day));
        scale
    }
}

fn step(step: &'static str, text: &str, value: f64) -> LaunchStep {
    LaunchStep { step, text: text.to_owned(), value }
}

fn member(item: &Established) -> Member {
    let recent = item.history.end() - RECENT_DAYS as i32;
    let (mut units, mut exposure_days) = (0.0, 0.0);
    for (day, sold, exposure) in exposed_days(item.history, item.factors) {
        if day >= recent && item.launched.is_none_or(|launched| day >= launched) {
            units += sold;
            exposure_days += exposure;
        }
    }
    // A launch that the history just misses teaches no curve, and its item sells at its level.
    let curve_end = -((CURVE_WEEKS * 7) as i32);
    let launch = item.launched.filter(|&launched| item.history.start + curve_end < launched).map(
        |launched| Launch {
            first: WeekSums::first(launched, item.history, item.factors),
            recent: WeekSums::recent(launched, recent, item.history, item.factors),
        },
    );
    let level = ScaleObservation {
        units,
        exposure_days,
        interest: item.interest,
        is_older: launch.is_none(),
    };
    Member { level, launch }
}

/// The dispersion weighs the cells that the curve comes from, and the curve the dispersion.
fn fit_pooled_curve(launches: &[(f64, &WeekSums)]) -> (Curve, ShapeDispersion) {
    let mut curve = Curve::flat();
    let mut shape = ShapeDispersion::UNSEEN;
    for _ in 0..3 {
        let phi = shape.week.max(0.02);
        curve = Curve::fit(launches, &Curve::flat(), phi);
        shape = curve.scatter(launches, phi, ShapeDispersion::UNSEEN, 1.0);
    }
    (curve, shape)
}

#[derive(Clone, Copy, Debug)]
struct Prior {
    units_per_day: f64,
    dispersion: f64,
}

#[derive(Clone, Copy, Debug)]
struct Scale {
    units_per_day: f64,
    dispersion: f64,
    own_weight: f64,
}

/// 0 below the range, 1 above it, without a corner between.
fn smooth_step(x: f64, (from, to): (f64, f64)) -> f64 {
    let share = ((x - from) / (to - from)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
