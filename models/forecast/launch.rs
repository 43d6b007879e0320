//! Forecast of an item that has little or no history of its own.
//!
//! Three things are put together: a launch curve (demand by week since launch over the settled
//! level) from the neighbours that were launched within the history; a scale (units per ordinary
//! day once settled) that early views, favourites and carts predict, corrected by how the
//! neighbours sold against the same prediction; and a Gamma–Poisson update of that scale as the
//! item's own sales arrive (Gelman et al. 2013, "Bayesian Data Analysis", §2.6), whose prior is as
//! strong as the neighbours agree. By the thirteenth week the item speaks for itself.

pub mod profile;
pub mod scale;

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::series::Series;

use profile::{
    CURVE_WEEKS, Curve, DayScatter, Moments, ShapeDispersion, WeekSums, exposed_days, week_since,
};
use scale::{ScaleModel, ScaleObservation};

/// Days of history, the last ones, from which an item older than the history has its level.
const RECENT_DAYS: usize = 182;
/// Neighbours' worth of belief that the neighbourhood sells as the regression says.
const UNBIASED_NEIGHBOURS: f64 = 3.0;
/// Neighbours' worth of belief that they scatter as the whole pool does.
const POOLED_NEIGHBOURS: f64 = 4.0;
/// Neighbours whose interest promises e^this times as much, or as little, count 0.6 as much: what
/// an item with two carts lacks against its category, one with fifty has shown by itself.
const ALIKE_LOG_SCALE: f64 = 0.7;
/// A neighbour that sold more than this times its prediction is taken at this.
const RATIO_MAX: f64 = 5.0;
/// Own sales lose half their weight in this time: what sold lately says more.
const HALF_LIFE_DAYS: f64 = 42.0;
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
    /// Over its last `RECENT_DAYS`, in days of the pooled curve's settled level.
    observation: ScaleObservation,
    launch: Option<Launch>,
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
        let mut days = DayScatter::default();
        let mut members: Vec<Member> = established
            .iter()
            .map(|item| {
                days.add(item.history, item.factors, RECENT_DAYS);
                member(item)
            })
            .collect();
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
        for member in &mut members {
            if let Some(launch) = &member.launch {
                member.observation.exposure_days = curve.settled_exposure(&launch.recent);
            }
        }
        let observations: Vec<ScaleObservation> =
            members.iter().map(|member| member.observation).collect();
        let by_level = ScaleModel::fit(&observations, false)
            .ok_or(LaunchError::NothingSold { items: members.len() })?;
        let by_interest = ScaleModel::fit(&observations, true);
        let day_dispersion = days.dispersion();
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
        let shape = curve.scatter(&launches, phi, self.shape, POOLED_NEIGHBOURS);
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
        let estimate = model.predict(&item.interest);
        let local = Neighbourhood::of(neighbours, model, curve, estimate.units_per_day);
        let prior = Prior {
            units_per_day: estimate.units_per_day * local.ratio,
            dispersion: estimate.dispersion - model.dispersion() + local.dispersion,
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
    let observation = ScaleObservation { units, exposure_days, interest: item.interest };
    Member { observation, launch }
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

/// A neighbour's sales beside what the regression and the curve expect of it.
struct Compared {
    weight: f64,
    units: f64,
    expected: f64,
    /// Exposure under the pooled curve over that under the neighbourhood's.
    by_curve: f64,
}

/// How the neighbours sold against the regression.
struct Neighbourhood {
    ratio: f64,
    dispersion: f64,
}

impl Neighbourhood {
    /// The regression's levels belong to the pooled curve. A neighbourhood whose launches run
    /// otherwise reaches the same sales from another settled level, so its own curve's exposure
    /// stands under its ratio.
    fn of(
        neighbours: &[(f64, &Member)],
        model: &ScaleModel,
        curve: &Curve,
        asked_per_day: f64,
    ) -> Neighbourhood {
        let phi = model.dispersion();
        let compared: Vec<Compared> = neighbours
            .iter()
            .filter(|(_, member)| member.observation.exposure_days > 0.0)
            .map(|&(weight, member)| {
                let seen = &member.observation;
                let exposure = match &member.launch {
                    Some(launch) => curve.settled_exposure(&launch.recent),
                    None => seen.exposure_days,
                };
                let per_day = model.predict(&seen.interest).units_per_day;
                let apart = (per_day / asked_per_day).ln() / ALIKE_LOG_SCALE;
                Compared {
                    weight: weight * (-0.5 * apart * apart).exp(),
                    units: seen.units,
                    expected: per_day * exposure,
                    by_curve: seen.exposure_days / exposure,
                }
            })
            .collect();
        let (mut weights, mut squares, mut sum, mut by_curve) = (0.0, 0.0, 0.0, 0.0);
        for item in &compared {
            // What the item tells of the ratio, against one with endless sales.
            let telling = item.weight * phi * item.expected / (1.0 + phi * item.expected);
            weights += telling;
            squares += telling * telling;
            sum += telling * (item.units / item.expected).min(RATIO_MAX);
            by_curve += telling * item.by_curve;
        }
        if squares <= 0.0 {
            return Neighbourhood { ratio: 1.0, dispersion: phi };
        }
        let offered: f64 = compared.iter().map(|item| item.weight).sum();
        let count = weights * weights / squares * (weights / offered);
        let trust = count / (count + UNBIASED_NEIGHBOURS);
        let ratio = trust * sum / weights + (1.0 - trust) * by_curve / weights;
        let mut moments = Moments::default();
        for item in &compared {
            moments.add(item.units, item.expected * ratio, phi, item.weight / weights * count);
        }
        let dispersion = moments.dispersion(phi, POOLED_NEIGHBOURS);
        Neighbourhood { ratio, dispersion: dispersion + trust * trust * phi / count }
    }
}

/// Own sales in the terms of the settled scale, older days fading.
#[derive(Clone, Copy, Debug, Default)]
struct OwnSales {
    /// Since the launch.
    weeks: f64,
    units: f64,
    exposure: f64,
    day_squares: f64,
    week_squares: f64,
}

impl OwnSales {
    fn of(item: &NewItem, curve: &Curve, launched: Day, origin: Day) -> OwnSales {
        let weeks = f64::from((origin - launched).max(0)) / 7.0;
        let mut own = OwnSales { weeks, ..OwnSales::default() };
        let (mut week_now, mut week_exposure) = (0, 0.0);
        for (day, units, exposure) in exposed_days(item.sales.before(origin), item.factors) {
            let Some(week) = week_since(launched, day) else {
                continue;
            };
            let fade = (-f64::from(origin - day) / HALF_LIFE_DAYS).exp2();
            let settled = exposure * curve.week(week) * fade;
            if week != week_now {
                own.week_squares += week_exposure * week_exposure;
                (week_now, week_exposure) = (week, 0.0);
            }
            week_exposure += settled;
            own.units += units * fade;
            own.exposure += settled;
            own.day_squares += settled * settled;
        }
        own.week_squares += week_exposure * week_exposure;
        own
    }
}

/// 0 below the range, 1 above it, without a corner between.
fn smooth_step(x: f64, (from, to): (f64, f64)) -> f64 {
    let share = ((x - from) / (to - from)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
