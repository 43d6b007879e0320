//! What is near a new item: how its neighbours sold against the regression, and its own sales.

use crate::calendar::Day;

use super::profile::{Curve, Moments, exposed_days, week_since};
use super::scale::ScaleModel;
use super::{Member, NewItem};

/// Neighbours' worth of belief that the neighbourhood sells as the regression says.
const UNBIASED_NEIGHBOURS: f64 = 3.0;
/// Neighbours' worth of belief that they scatter as the whole pool does.
const POOLED_NEIGHBOURS: f64 = 4.0;
/// Neighbours whose interest promises e^this times as much, or as little, count 0.6 as much: what
/// an item with two carts lacks against its category, one with fifty has shown by itself.
const ALIKE_LOG_SCALE: f64 = 0.7;
/// Where interest does not tell how an item stands, one that has been on sale for long says less
/// about a launch than another launch does.
const OLDER_WEIGHT: f64 = 0.1;
/// A neighbour further than this from its expectation, in standard deviations, is taken at this:
/// far enough out that the long right tail of ordinary demand keeps its mean.
const REACH_SD: f64 = 8.0;
/// Own sales lose half their weight in this time: what sold lately says more.
const HALF_LIFE_DAYS: f64 = 42.0;

/// A neighbour's sales beside what the regression and the curve expect of it.
struct Compared {
    weight: f64,
    units: f64,
    expected: f64,
    /// Exposure under the pooled curve over that under the neighbourhood's.
    by_curve: f64,
}

/// How the neighbours sold against the regression.
pub(super) struct Neighbourhood {
    pub ratio: f64,
    pub dispersion: f64,
    /// 0..1, rising with the number of neighbours that tell.
    pub trust: f64,
}

impl Neighbourhood {
    /// The regression's levels belong to the pooled curve. A neighbourhood whose launches run
    /// otherwise reaches the same sales from another settled level, so its own curve's exposure
    /// stands under its ratio.
    pub fn of(
        neighbours: &[(f64, &Member)],
        model: &ScaleModel,
        (pooled, curve): (&Curve, &Curve),
        asked_per_day: f64,
    ) -> Neighbourhood {
        let phi = model.dispersion();
        let compared: Vec<Compared> = neighbours
            .iter()
            .map(|&(weight, member)| {
                let seen = member.seen(model.by_interest(), curve);
                let pooled = member.seen(model.by_interest(), pooled).exposure_days;
                let weight = match seen.is_older && !model.by_interest() {
                    true => weight * OLDER_WEIGHT,
                    false => weight,
                };
                let per_day = model.predict(&seen.interest, seen.is_older).units_per_day;
                let apart = if model.by_interest() {
                    (per_day / asked_per_day).ln() / ALIKE_LOG_SCALE
                } else {
                    0.0
                };
                Compared {
                    weight: weight * (-0.5 * apart * apart).exp(),
                    units: seen.units,
                    expected: per_day * seen.exposure_days,
                    by_curve: pooled / seen.exposure_days,
                }
            })
            .filter(|item| item.expected > 0.0)
            .collect();
        let (mut weights, mut squares, mut sum, mut by_curve) = (0.0, 0.0, 0.0, 0.0);
        for item in &compared {
            // What the item tells of the ratio, against one with endless sales.
            let telling = item.weight * phi * item.expected / (1.0 + phi * item.expected);
            weights += telling;
            squares += telling * telling;
            let reach = 1.0 + REACH_SD * (phi + 1.0 / item.expected).sqrt();
            sum += telling * (item.units / item.expected).min(reach);
            by_curve += telling * item.by_curve;
        }
        if squares <= 0.0 {
            return Neighbourhood { ratio: 1.0, dispersion: phi, trust: 0.0 };
        }
        let offered: f64 = compared.iter().map(|item| item.weight).sum();
        let count = weights * weights / squares * (weights / offered);
        let trust = count / (count + UNBIASED_NEIGHBOURS);
        let ratio = trust * sum / weights + (1.0 - trust) * by_curve / weights;
        let mut moments = Moments::default();
        for item in &compared {
            moments.add(item.units, item.expected * ratio, phi, item.weight / offered * count);
        }
        let dispersion = moments.dispersion(phi, POOLED_NEIGHBOURS);
        Neighbourhood { ratio, dispersion: dispersion + trust * trust * phi / count, trust }
    }
}

/// Own sales in the terms of the settled scale, older days fading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OwnSales {
    /// Since the launch.
    pub weeks: f64,
    pub units: f64,
    pub exposure: f64,
    pub day_squares: f64,
    pub week_squares: f64,
}

impl OwnSales {
    pub fn of(item: &NewItem, curve: &Curve, launched: Day, origin: Day) -> OwnSales {
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
