//! What the categories, regions and events tell of each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::category::{CategoryFit, Solved};
use super::columns::{self, COLUMNS_PER_EVENT, EVENT_EFFECTS, EVENT_PARTS, EVENTS, RIVALS};
use super::evidence::{DaySums, Departures, Span};
use super::features::Features;
use super::prior::{ClassModel, Estimate, spread_around};
use crate::calendar::Day;

/// How far regions differ where nobody has compared any: a tenth.
const REGION_VARIANCE_USUAL: f64 = 0.01;
/// Mean square by which categories differ in an effect, where few do.
const CATEGORY_VARIANCE_USUAL: f64 = 0.04;
/// Errors of one series' days go together, so its evidence for a departure is discounted.
const DEPARTURE_DISCOUNT: f64 = 0.7;
/// Series that the panel's departures weigh as much as.
const DEPARTURE_PRIOR: f64 = 30.0;
/// Two-sided 90% under the normal distribution.
const NORMAL_95: f64 = 1.645;
/// Times that correlated days may discount what a category says.
const DISCOUNT_MAX: f64 = 1e6;

/// An effect for people: demand is multiplied by `exp(log_effect)` per unit of the regressor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    pub regressor: String,
    pub log_effect: f64,
    /// Ends of its 90% interval.
    pub low: f64,
    pub high: f64,
    /// Days, items and, of an event, occurrences that it was learned from; none for what is only
    /// known from other events of the class.
    pub days: u32,
    pub items: u32,
    pub occurrences: u32,
}

/// What is known before the categories are settled.
pub struct Pool<'a> {
    features: &'a Features<'a>,
    global: &'a [f64],
    /// Variance with which the regions of a category depart from it, per column.
    pub region_variance: Vec<f64>,
}

/// Everything that forecasts are made with.
pub struct Learned {
    pub category: Vec<Vec<f64>>,
    pub regional: Vec<((u32, u32), Vec<f64>)>,
    pub departure_variance: Vec<Vec<f64>>,
    pub reported: Vec<Vec<Reported>>,
}

impl<'a> Pool<'a> {
    pub fn new(features: &'a Features, global: &'a [f64], fits: &[CategoryFit]) -> Pool<'a> {
        let regions: Vec<Vec<Estimate>> =
            fits.iter().flat_map(CategoryFit::region_departures).collect();
        let region_variance = (0..global.len())
            .map(|j| {
                let of: Vec<Estimate> = regions.iter().map(|region| region[j]).collect();
                spread_around(&of, |_| 0.0, REGION_VARIANCE_USUAL)
            })
            .collect();
        Pool { features, global, region_variance }
    }

    /// Draws categories, events and classes together.
    pub fn settle(&self, fits: &[CategoryFit], solved: &[Solved]) -> Learned {
        let yearly = self.yearly_variance(fits, solved);
        let seen: Vec<Vec<Estimate>> =
            fits.iter().zip(solved).map(|(f, s)| self.estimates(f, s, &yearly)).collect();
        let (priors, classes) = self.priors(&seen);
        let mut overall = Departures::default();
        solved.iter().for_each(|solved| overall.add(&solved.departures));
        let mut learned = Learned {
            category: Vec::new(),
            regional: Vec::new(),
            departure_variance: Vec::new(),
            reported: Vec::new(),
        };
        for (c, (fit, solved)) in fits.iter().zip(solved).enumerate() {
            let prior: Vec<Estimate> = priors.iter().map(|of| of[c]).collect();
            let discount = |j: usize| {
                let ratio = seen[c][j].variance / solved.columns[j].plain_variance;
                if ratio.is_finite() { ratio.clamp(1.0, DISCOUNT_MAX) } else { 1.0 }
            };
            let discounts: Vec<f64> = (0..prior.len()).map(discount).collect();
            let beta = forecast_effects(fit, &prior, &discounts);
            for (region, gram) in fit.regions.iter().zip(&fit.grams) {
                let variance: Vec<f64> =
                    self.region_variance.iter().zip(&discounts).map(|(v, d)| v / d).collect();
                let own = gram.departures(&beta, &variance, fit.scale);
                let effects = beta.iter().zip(own).map(|(b, o)| b + o).collect();
                learned.regional.push(((c as u32, *region), effects));
            }
            learned.category.push(beta);
            learned.departure_variance.push(departures(&solved.departures, &overall));
            learned.reported.push(self.report(&seen[c], &prior, solved, &classes, c));
        }
        learned
    }

    /// Effects of a category as its days tell them, with all of their error.
    fn estimates(&self, fit: &CategoryFit, solved: &Solved, yearly: &Yearly) -> Vec<Estimate> {
        (0..self.global.len())
            .map(|j| {
                if !fit.own || solved.columns[j].variance.is_infinite() {
                    return Estimate::UNKNOWN;
                }
                let own = columns::event_part(j)
                    .map_or(0.0, |(event, _)| yearly.variance / yearly.occurrences[event].max(1.0));
                Estimate { value: solved.average[j], variance: solved.columns[j].variance + own }
            })
            .collect()
    }

    /// How one occurrence of an event differs from the next beyond noise and daily shocks: one
    /// variance for the panel's events.
    fn yearly_variance(&self, fits: &[CategoryFit], solved: &[Solved]) -> Yearly {
        let features = self.features;
        let index = |day: Day| (day - features.first).clamp(0, features.days as i32) as usize;
        let (mut above, mut below) = (0.0, 0.0);
        let mut occurrences = vec![0.0f64; features.occurrences.len()];
        for (_, solved) in fits.iter().zip(solved).filter(|(fit, _)| fit.own) {
            for (event, spans) in features.occurrences.iter().enumerate() {
                let parts: Vec<Span> = spans
                    .iter()
                    .filter_map(|&(from, to)| {
                        let days = index(from)..index(to + 1);
                        solved.days.span(days.start, days.end, solved.scale, solved.shock)
                    })
                    .collect();
                let n = parts.len() as f64;
                occurrences[event] = occurrences[event].max(n);
                if n >= 2.0 {
                    // The mean over the occurrences was taken out by the event's effect.
                    let left = 1.0 - 1.0 / n;
                    above += parts.iter().map(|s| s.squared - left * s.noise).sum::<f64>();
                    below += left * parts.iter().map(|s| s.squared_weight).sum::<f64>();
                }
            }
        }
        let variance = if below > 0.0 { (above / below).max(0.0) } else { 0.0 };
        Yearly { variance, occurrences }
    }

    /// Per column the prior of each category, and the classes.
    fn priors(&self, seen: &[Vec<Estimate>]) -> (Vec<Vec<Estimate>>, Vec<Class>) {
        let columns = self.global.len();
        let mut priors: Vec<Vec<Estimate>> = (0..columns.min(EVENTS))
            .map(|j| {
                let of: Vec<Estimate> = seen.iter().map(|seen| seen[j]).collect();
                let center = self.global[j];
                let variance = spread_around(&of, |_| center, CATEGORY_VARIANCE_USUAL);
                vec![Estimate { value: center, variance }; seen.len()]
            })
            .collect();
        priors.resize(columns, vec![Estimate::UNKNOWN; seen.len()]);
        let mut events_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (event, class) in self.features.event_classes.iter().enumerate() {
            events_of.entry(class).or_default().push(event);
        }
        let mut classes = Vec::new();
        for (part, part_name) in EVENT_PARTS.iter().enumerate() {
            let column = |event: usize| EVENTS + COLUMNS_PER_EVENT * event + part;
            let usual = usual_square(seen, self.features.event_classes.len(), column);
            for (class, events) in &events_of {
                let row = |seen: &Vec<Estimate>| events.iter().map(|&e| seen[column(e)]).collect();
                let table: Vec<Vec<Estimate>> = seen.iter().map(row).collect();
                let model = ClassModel::learn(&table, usual);
                for (e, &event) in events.iter().enumerate() {
                    priors[column(event)] = (0..seen.len()).map(|c| model.prior(c, e)).collect();
                }
                let known = part < EVENT_EFFECTS
                    && table.iter().flatten().any(|cell| cell.variance.is_finite());
                let name = format!("class:{class}:{part_name}");
                classes.push(Class { name, model, known });
            }
        }
        (priors, classes)
    }

    /// A category's effects for people. What its days tell is told as it is: a penalty would make
    /// every effect too small. Only events are drawn to their class, whose spread says how far.
    fn report(
        &self,
        seen: &[Estimate],
        prior: &[Estimate],
        solved: &Solved,
        classes: &[Class],
        category: usize,
    ) -> Vec<Reported> {
        let mut rows = Vec::new();
        for (j, (seen, prior)) in seen.iter().zip(prior).enumerate() {
            if columns::event_part(j).is_some_and(|(_, part)| part >= EVENT_EFFECTS) {
                continue;
            }
            let evidence = solved.columns[j];
            let event = columns::event_part(j).map(|(event, _)| event);
            let occurrences = event.map_or(0, |event| self.occurred(event, &solved.days));
            // An event that others have seen and this category has not is none of its business.
            let unseen = event.is_some_and(|event| self.features.is_ahead_only(event));
            let estimate = match event {
                None => *seen,
                Some(_) if seen.variance.is_finite() || unseen => seen.after(*prior),
                Some(_) => Estimate::UNKNOWN,
            };
            if estimate.variance.is_finite() {
                let known = seen.variance.is_finite();
                let point = if known { student_95(evidence.freedom) } else { NORMAL_95 };
                let reach = point * estimate.variance.sqrt();
                rows.push(Reported {
                    regressor: self.features.name(j),
                    log_effect: estimate.value,
                    low: estimate.value - reach,
                    high: estimate.value + reach,
                    days: evidence.days,
                    items: evidence.items,
                    occurrences,
                });
            }
        }
        for class in classes.iter().filter(|class| class.known) {
            let next = class.model.unseen(category);
            let reach = NORMAL_95 * next.variance.sqrt();
            rows.push(Reported {
                regressor: class.name.clone(),
                log_effect: next.value,
                low: next.value - reach,
                high: next.value + reach,
                days: 0,
                items: 0,
                occurrences: 0,
            });
        }
        rows
    }

    fn occurred(&self, event: usize, days: &DaySums) -> u32 {
        let features = self.features;
        let index = |day: Day| (day - features.first).clamp(0, features.days as i32) as usize;
        let seen =
            |&&(from, to): &&(Day, Day)| days.span(index(from), index(to + 1), 0.0, 0.0).is_some();
        features.occurrences[event].iter().filter(seen).count() as u32
    }
}

struct Yearly {
    variance: f64,
    occurrences: Vec<f64>,
}

/// One part of the events of a class.
struct Class {
    name: String,
    model: ClassModel,
    /// Whether it is an effect that any of its events was seen to have.
    known: bool,
}

/// Mean square of an event's effect beyond its error, whatever its class.
fn usual_square(seen: &[Vec<Estimate>], events: usize, column: impl Fn(usize) -> usize) -> f64 {
    let cells = || (0..events).flat_map(|e| seen.iter().map(move |seen| (e, seen)));
    let known = cells().map(|(e, seen)| seen[column(e)]).filter(|cell| cell.variance < 0.25);
    let (mut sum, mut count) = (CATEGORY_VARIANCE_USUAL, 1.0);
    for cell in known {
        sum += (cell.value * cell.value - cell.variance).max(0.0);
        count += 1.0;
    }
    sum / count
}

/// The effects to forecast with: the category's days, as far as they are worth it, and its prior.
fn forecast_effects(fit: &CategoryFit, prior: &[Estimate], discounts: &[f64]) -> Vec<f64> {
    let center: Vec<f64> = prior.iter().map(|prior| prior.value).collect();
    let variance: Vec<f64> =
        prior.iter().zip(discounts).map(|(prior, discount)| prior.variance / discount).collect();
    let own = fit.total().departures(&center, &variance, fit.scale);
    let mut beta: Vec<f64> = center.iter().zip(own).map(|(c, o)| c + o).collect();
    // Reported, but not believed.
    beta[RIVALS] = 0.0;
    beta
}

fn departures(own: &Departures, overall: &Departures) -> Vec<f64> {
    let weight = own.series / (own.series + DEPARTURE_PRIOR);
    let mixed = |j| weight * own.variance(j) + (1.0 - weight) * overall.variance(j);
    (0..own.columns())
        .map(|j| if j == RIVALS { 0.0 } else { DEPARTURE_DISCOUNT * mixed(j) })
        .collect()
}

/// The 95% point of Student's distribution (Abramowitz & Stegun 1964, 26.7.5).
fn student_95(freedom: f64) -> f64 {
    let (z, n) = (NORMAL_95, freedom.max(2.0));
    z + (z.powi(3) + z) / (4.0 * n)
        + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * n * n)
}
