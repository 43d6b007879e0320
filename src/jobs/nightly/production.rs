//! Items on pre-sale: how much to have made, and when to start.

use std::collections::BTreeMap;

use granary_models::finding::{Code, Finding};
use granary_models::policy::production::demand::{DemandPrior, PastSeason};
use granary_models::policy::production::lead_time::MakerLeadTime;
use granary_models::policy::production::{
    BatchTerms, Presale, ProductionError, ProductionSuggestion, Reservation, suggest,
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

/// One suggestion per item and location with reservations.
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
    let mut batches = Vec::new();
    for ((item_id, location_id), reservations) in presales {
        let Some(key) = index.key(item_id, location_id) else { continue };
        let terms = facts.supply_terms.iter().find(|terms| {
            terms.kind == "produce" && terms.item_id == item_id && terms.location_id == location_id
        });
        let Some(terms) = terms else {
            let detail = "reservations are taken, but no supply terms say who makes it";
            findings.sku(item_id, location_id, Finding::new(Code::NoSupplyTerms, detail));
            continue;
        };
        match one(facts, night, key, terms, &reservations, settings) {
            Ok((suggestion, found)) => {
                found.into_iter().for_each(|odd| findings.sku(item_id, location_id, odd));
                let (item_id, location_id) = (item_id.to_owned(), location_id.to_owned());
                batches.push(Batch { item_id, location_id, suggestion });
            }
            Err(error) => {
                let detail = format!("no batch was suggested: {error}");
                findings.sku(item_id, location_id, Finding::new(Code::BadTerms, detail));
            }
        }
    }
    batches
}

fn one(
    facts: &Facts,
    night: &NightPanel,
    key: SeriesKey,
    terms: &SupplyTerms,
    reservations: &[Reservation],
    settings: &Production,
) -> Result<(ProductionSuggestion, Vec<Finding>), ProductionError> {
    let item = &facts.items[key.item];
    let per_base = 10i64.pow(item.qty_decimals) as f64;
    // The batch is sized in smallest units, so its money is per smallest unit.
    let money = |minor: Option<i64>| (minor.unwrap_or(0) as f64 / per_base).round() as i64;
    let cost = terms.unit_cost_minor.or(item.unit_cost_minor).or(facts.defaults.unit_cost_minor);
    let price = item.unit_price_minor.or(facts.defaults.unit_price_minor);
    let unit_cost_minor = money(cost);
    let checked = BatchTerms {
        price_minor: money(price),
        unit_cost_minor,
        setup_cost_minor: settings.setup_cost_minor,
        salvage_minor: (unit_cost_minor as f64 * settings.salvage_share).floor() as i64,
        cancellation_rate: settings.cancellation_rate,
        return_rate: settings.return_rate,
        moq: terms.moq.unwrap_or(1).max(1),
        multiple: terms.multiple.unwrap_or(1).max(1),
        capacity: terms.capacity_qty,
        ..BatchTerms::default()
    }
    .check()?;
    let opens = reservations.iter().map(|row| row.day).min().unwrap_or(facts.business_date);
    let presale = Presale {
        reservations,
        opens,
        closes: opens + settings.season_days,
        covered_qty: covered_qty(facts, item, terms),
    };
    let prior = DemandPrior::pooled(&past_seasons(facts, night, key, settings.season_days))?;
    let lead_time_days = terms.lead_time_days.or(facts.defaults.lead_time_days).unwrap_or(7);
    let lead_time = MakerLeadTime::fixed(lead_time_days.clamp(0, 365) as u16);
    suggest(&presale, &prior, &checked, &lead_time, facts.business_date)
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
