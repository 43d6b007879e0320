//! Items on pre-sale: how much to have made, and when to start.

use std::collections::BTreeMap;

use granary_models::calendar::Day;
use granary_models::finding::{Code, Finding};
use granary_models::policy::production::demand::{DemandPrior, PastSeason};
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::repeat::RepeatTerms;
use granary_models::policy::production::schedule::MakerCapacity;
use granary_models::policy::production::{
    BatchHours, BatchTerms, Candidate, CheckedTerms, Presale, ProductionError,
    ProductionSuggestion, Reservation, suggest_run, suggest_together,
};

use super::facts::Facts;
use super::findings::Findings;
use super::panel::{Index, NightPanel, SeriesKey};
use crate::config::Production;
use crate::store::inputs::master::{Item, SupplyTerms};

pub struct Batch {
    pub item_id: String,
    pub location_id: String,
    /// Quantities are the item's smallest units.
    pub suggestion: ProductionSuggestion,
}

/// One suggestion per item and location with reservations. Items of one maker share its hours.
pub fn suggest_batches(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    settings: &Production,
    findings: &mut Findings,
) -> Vec<Batch> {
    let mut presales: BTreeMap<(&str, &str), Vec<Reservation>> = BTreeMap::new();
    for row in &facts.presales {
        presales.entry((&row.item_id, &row.location_id)).or_default().push(Reservation {
            day: row.date,
            qty: row.qty,
            promised_on: row.promised_on,
        });
    }
    let mut makers: BTreeMap<(&str, &str), Vec<Order>> = BTreeMap::new();
    for ((item_id, location_id), reservations) in &presales {
        let Some(key) = index.key(item_id, location_id) else { continue };
        let terms = facts.supply_terms.iter().find(|terms| {
            terms.kind == "produce"
                && terms.item_id == *item_id
                && terms.location_id == *location_id
        });
        let Some(terms) = terms else {
            let detail = "reservations are taken, but no supply terms say who makes it";
            findings.sku(item_id, location_id, Finding::new(Code::NoSupplyTerms, detail));
            continue;
        };
        match Order::new(facts, night, key, terms, reservations, settings) {
            Ok(order) => {
                let maker = (terms.supplier_id.as_str(), terms.source_location_id.as_str());
                makers.entry(maker).or_default().push(order);
            }
            Err(error) => findings.sku(item_id, location_id, refused(&error)),
        }
    }
    let mut batches: Vec<Batch> = makers
        .values()
        .flat_map(|orders| at_one_maker(orders, settings, facts.business_date, findings))
        .collect();
    batches.sort_by(|a, b| (&a.item_id, &a.location_id).cmp(&(&b.item_id, &b.location_id)));
    batches
}

fn refused(error: &ProductionError) -> Finding {
    Finding::new(Code::BadTerms, format!("no batch was suggested: {error}"))
}

/// Suggests all batches of a maker, whose hours they share where hours are counted.
fn at_one_maker(
    orders: &[Order],
    settings: &Production,
    today: Day,
    findings: &mut Findings,
) -> Vec<Batch> {
    let candidates: Vec<(Candidate, BatchHours)> =
        orders.iter().map(|order| (order.candidate(settings), order.hours(settings))).collect();
    let suggestions = match settings.hours_per_day {
        Some(hours) => {
            let maker = MakerCapacity::weekly(hours, settings.material_days, settings.transit_days);
            match suggest_together(&candidates, &maker, today) {
                Ok(together) => together.suggestions,
                Err(error) => {
                    findings.night(refused(&error));
                    return Vec::new();
                }
            }
        }
        None => candidates.iter().map(|(candidate, _)| suggest_run(candidate, today)).collect(),
    };
    let mut batches = Vec::new();
    for (order, suggestion) in orders.iter().zip(suggestions) {
        let (item_id, location_id) = (&order.terms.item_id, &order.terms.location_id);
        match suggestion {
            Ok((suggestion, found)) => {
                found.into_iter().for_each(|odd| findings.sku(item_id, location_id, odd));
                let (item_id, location_id) = (item_id.clone(), location_id.clone());
                batches.push(Batch { item_id, location_id, suggestion });
            }
            Err(error) => findings.sku(item_id, location_id, refused(&error)),
        }
    }
    batches
}

/// One item on pre-sale at one location, with what decides its batch.
struct Order<'a> {
    terms: &'a SupplyTerms,
    presale: Presale<'a>,
    prior: DemandPrior,
    checked: CheckedTerms,
    lead_time: MakerLeadTime,
    /// Reserved units that have left already.
    gone_qty: i64,
    per_base: f64,
}

impl<'a> Order<'a> {
    fn new(
        facts: &Facts,
        night: &NightPanel,
        key: SeriesKey,
        terms: &'a SupplyTerms,
        reservations: &'a [Reservation],
        settings: &Production,
    ) -> Result<Order<'a>, ProductionError> {
        let item = &facts.items[key.item];
        let per_base = 10i64.pow(item.qty_decimals);
        let cost = terms.unit_cost_minor.or(item.unit_cost_minor);
        let price = item.unit_price_minor.or(facts.defaults.unit_price_minor);
        let unit_cost_minor = cost.or(facts.defaults.unit_cost_minor).unwrap_or(0);
        let checked = BatchTerms {
            price_minor: price.unwrap_or(0),
            unit_cost_minor,
            setup_cost_minor: settings.setup_cost_minor.max(terms.fixed_cost_minor),
            salvage_minor: (unit_cost_minor as f64 * settings.salvage_share).floor() as i64,
            cancellation_rate: settings.cancellation_rate,
            return_rate: settings.return_rate,
            moq: terms.moq.unwrap_or(1).max(1),
            multiple: terms.multiple.unwrap_or(1).max(1),
            capacity: terms.capacity_qty,
            per_base,
            ..BatchTerms::default()
        }
        .check()?;
        let opens = reservations.iter().map(|row| row.day).min().unwrap_or(facts.business_date);
        let lead_time_days = terms.lead_time_days.or(facts.defaults.lead_time_days).unwrap_or(7);
        Ok(Order {
            terms,
            presale: Presale {
                reservations,
                opens,
                closes: opens + settings.season_days,
                covered_qty: covered_qty(facts, item, terms),
            },
            prior: DemandPrior::pooled(&past_seasons(facts, night, key, settings.season_days))?,
            checked,
            lead_time: MakerLeadTime::fixed(lead_time_days.clamp(0, 365) as u16),
            gone_qty: shipped_qty(night, key, opens),
            per_base: per_base as f64,
        })
    }

    fn candidate(&self, settings: &Production) -> Candidate<'_> {
        let repeat = (settings.repeat_every_days > 0).then(|| RepeatTerms {
            review_days: settings.repeat_every_days,
            wait_share: settings.wait_share,
            ..RepeatTerms::default()
        });
        let candidate = Candidate::new(self.presale, self.prior, self.checked, &self.lead_time);
        Candidate { repeat, gone_qty: self.gone_qty, ..candidate }
    }

    fn hours(&self, settings: &Production) -> BatchHours {
        let per_unit = settings.hours_per_unit / self.per_base;
        BatchHours { setup: settings.setup_hours, per_unit }
    }
}

/// Sold since the season opened: reservations that were shipped need no stock any more.
fn shipped_qty(night: &NightPanel, key: SeriesKey, opens: Day) -> i64 {
    let Some(i) = night.keys.iter().position(|other| *other == key) else { return 0 };
    let series = night.panel.series(i);
    let from = (opens - night.panel.start[i]).clamp(0, series.len() as i32) as usize;
    series.sold[from..].iter().sum::<f64>().round() as i64
}

/// On hand, or already being made.
fn covered_qty(facts: &Facts, item: &Item, terms: &SupplyTerms) -> i64 {
    let here = |item_id: &str, location_id: &str| {
        item_id == item.item_id && location_id == terms.location_id
    };
    let stock = facts.stock.iter().filter(|row| here(&row.item_id, &row.location_id));
    let orders = facts.orders.iter().filter(|row| {
        here(&row.item_id, &row.location_id) && !row.cancelled && row.received_on.is_none()
    });
    stock.map(|row| row.on_hand).sum::<i64>()
        + orders.map(|row| (row.qty - row.received_qty).max(0)).sum::<i64>()
}

/// What the category's other items sold at this location over as long a season; where it has
/// none there, what all items did.
fn past_seasons(
    facts: &Facts,
    night: &NightPanel,
    key: SeriesKey,
    season_days: i32,
) -> Vec<PastSeason> {
    let category = &facts.items[key.item].category;
    let season = |i: usize| {
        let series = night.panel.series(i);
        let recent = series.len().saturating_sub(season_days as usize);
        let available: f32 = series.available[recent..].iter().sum();
        PastSeason {
            qty: series.sold[recent..].iter().sum(),
            exposure: f64::from(available) / f64::from(season_days),
        }
    };
    let seasons = |filter: &dyn Fn(&SeriesKey) -> bool| -> Vec<PastSeason> {
        (0..night.keys.len())
            .filter(|&i| night.keys[i].item != key.item && filter(&night.keys[i]))
            .map(season)
            .filter(|season| season.exposure > 0.5 && season.qty > 0.0)
            .collect()
    };
    let near = seasons(&|other| {
        other.location == key.location && facts.items[other.item].category == *category
    });
    if near.is_empty() { seasons(&|_| true) } else { near }
}
