//! Key figures, of the whole and of each location, category and supplier.

use std::collections::HashMap;

use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::plan::kpi::{
    DeliveryRow, Kpi, OtifTerms, RETURNS, ReturnLimits, ReturnRow, STOCK, Scope, StockRow, TRADE,
    TradeRow, otif, otif_findings, return_alerts, scoped, slow_findings,
};
use granary_models::plan::segment::{MovementFacts, SegmentSettings, movement};
use granary_models::policy::terms::SupplyKind;

use super::{PERIOD_DAYS, Sold, sold};
use crate::jobs::nightly::facts::Facts;
use crate::jobs::nightly::findings::Findings;
use crate::jobs::nightly::panel::{Index, NightPanel, SeriesKey};
use crate::jobs::nightly::planning::{Planned, PlannedPlace};
use crate::store::publish::KpiRow;

/// Lines due in the period from which a supplier's punctuality is judged, and the least share of
/// them in time and in full.
const OTIF_LINES_MIN: f64 = 5.0;
const OTIF_SHARE_MIN: f64 = 0.9;
/// Share of the stock's value that may be slow or dead.
const SLOW_SHARE_MAX: f64 = 0.3;

/// All figures of a night, with what in them asks for attention.
pub fn kpis(
    facts: &Facts,
    index: &Index,
    night: &NightPanel,
    forecasts: &[SkuForecast],
    planned: &Planned,
    findings: &mut Findings,
) -> Vec<KpiRow> {
    let mut rows = plan_figures(facts, planned);
    let currency = main_currency(facts);
    let series = Series { facts, index, night, forecasts, sold: sold(facts, night), currency };
    let mut kpis = series.trade();
    kpis.extend(series.stock(planned));
    for (scope, finding) in slow_findings(&kpis, SLOW_SHARE_MAX) {
        if scope == Scope::All {
            findings.night(finding);
        }
    }
    kpis.extend(returns(facts, index, findings));
    let delivered = otif(&deliveries(facts), &OtifTerms::new(facts.business_date));
    for (_, finding) in otif_findings(&delivered, OTIF_SHARE_MIN, OTIF_LINES_MIN) {
        findings.night(finding);
    }
    kpis.extend(delivered);
    rows.extend(kpis.into_iter().map(row));
    rows
}

fn row(kpi: Kpi) -> KpiRow {
    let (scope, scope_id) = match &kpi.scope {
        Scope::All => ("", String::new()),
        scope => {
            let (kind, id) = scope.parts();
            (kind, id.to_owned())
        }
    };
    KpiRow { name: kpi.name, scope, scope_id, value: kpi.value, unit: kpi.unit }
}

/// What tonight's plan holds and promises.
fn plan_figures(facts: &Facts, planned: &Planned) -> Vec<KpiRow> {
    let mut stock_minor = 0.0;
    let mut waste_minor = 0.0;
    for place in &planned.places {
        stock_minor += place.plan.kpi.stock_value_minor as f64;
        waste_minor += place.plan.kpi.expected_waste * unit_cost_minor(facts, place.item);
    }
    // Each line is judged on the demand between its arrival and the next order's, which is what it
    // is there to serve; weights are what that demand costs a day.
    let (mut weights, mut with, mut without) = (0.0, 0.0, 0.0);
    for line in planned.lines.iter().filter(|line| line.kind != SupplyKind::Transfer) {
        let weight = line.facts.daily_demand * line.value_minor as f64 / line.qty.max(1) as f64;
        weights += weight;
        with += weight * line.facts.fill_with;
        without += weight * line.facts.fill_without;
    }
    let whole =
        |name, value, unit| KpiRow { name, scope: "", scope_id: String::new(), value, unit };
    let mut kpis = vec![
        whole("stock_value_minor", stock_minor, "minor"),
        whole("expected_waste_minor", waste_minor, "minor"),
    ];
    if weights > 0.0 {
        kpis.push(whole("expected_fill", with / weights, "share"));
        kpis.push(whole("expected_fill_without", without / weights, "share"));
    }
    kpis
}

/// Of one smallest unit.
fn unit_cost_minor(facts: &Facts, item: usize) -> f64 {
    let item = &facts.items[item];
    let cost = item.unit_cost_minor.or(facts.defaults.unit_cost_minor).unwrap_or(0);
    cost as f64 / 10f64.powi(item.qty_decimals as i32)
}

/// Of most items. Money of others is not added to it, so their figures stay out.
fn main_currency(facts: &Facts) -> String {
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for item in &facts.items {
        *counts.entry(&item.currency).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|&(_, count)| count);
    most.map_or_else(String::new, |(currency, _)| currency.to_owned())
}

/// The series of a night and what is known of each.
struct Series<'a> {
    facts: &'a Facts,
    index: &'a Index<'a>,
    night: &'a NightPanel,
    forecasts: &'a [SkuForecast],
    sold: Vec<Sold>,
    currency: String,
}

impl Series<'_> {
    fn scopes(&self, key: SeriesKey) -> Vec<Scope> {
        let category = &self.facts.items[key.item].category;
        let mut scopes =
            vec![Scope::Location(self.facts.locations[key.location].location_id.clone())];
        if !category.is_empty() {
            scopes.push(Scope::Category(category.clone()));
        }
        scopes
    }

    fn counts(&self, item: usize) -> bool {
        self.facts.items[item].currency == self.currency
    }

    /// What each series sold, against the stock that it was sold from.
    fn trade(&self) -> Vec<Kpi> {
        let mean_stock: HashMap<SeriesKey, f64> = self
            .facts
            .mean_stock
            .iter()
            .filter_map(|row| Some((self.index.key(&row.item_id, &row.location_id)?, row.on_hand)))
            .collect();
        let chosen: Vec<usize> =
            (0..self.night.keys.len()).filter(|&i| self.counts(self.night.keys[i].item)).collect();
        let rows: Vec<TradeRow> = chosen
            .iter()
            .map(|&i| {
                let key = self.night.keys[i];
                let stock =
                    mean_stock.get(&key).map(|qty| qty * unit_cost_minor(self.facts, key.item));
                self.trade_row(i, stock)
            })
            .collect();
        scoped(&rows, TRADE, |at| self.scopes(self.night.keys[chosen[at]]))
    }

    fn trade_row(&self, i: usize, mean_stock_minor: Option<f64>) -> TradeRow {
        let series = self.night.panel.series(i);
        let recent = series.len().saturating_sub(PERIOD_DAYS as usize);
        let available = &series.available[recent..];
        let served: f64 = series.sold[recent..].iter().sum();
        let days = available.len().max(1) as f64;
        let open: f64 = available.iter().map(|&share| f64::from(share)).sum();
        TradeRow {
            days,
            revenue_minor: self.sold[i].revenue_minor,
            cogs_minor: self.sold[i].cogs_minor,
            // Never counted: a figure that needs it leaves the row out.
            mean_stock_minor: mean_stock_minor.unwrap_or(f64::NAN),
            served_qty: served,
            // On the days seen shoppers found what they came for; the others sold like them.
            demand_qty: if open > 0.0 { served * days / open } else { f64::NAN },
            forecast_qty: None,
            observed_days: available.len() as f64,
            available_days: open,
            empty_days: available.iter().filter(|&&share| share <= 0.0).count() as f64,
            mean_daily_demand: served / days,
        }
    }

    /// What stands in the places that are planned.
    fn stock(&self, planned: &Planned) -> Vec<Kpi> {
        let settings = SegmentSettings::default();
        let of_key: HashMap<SeriesKey, usize> =
            self.night.keys.iter().enumerate().map(|(i, key)| (*key, i)).collect();
        let places: Vec<&PlannedPlace> =
            planned.places.iter().filter(|place| self.counts(place.item)).collect();
        let rows: Vec<StockRow> = places
            .iter()
            .filter_map(|place| {
                let key = SeriesKey { item: place.item, location: place.location };
                Some(self.stock_row(place, *of_key.get(&key)?, &settings))
            })
            .collect();
        let keys: Vec<SeriesKey> = places
            .iter()
            .map(|place| SeriesKey { item: place.item, location: place.location })
            .filter(|key| of_key.contains_key(key))
            .collect();
        scoped(&rows, STOCK, |at| self.scopes(keys[at]))
    }

    fn stock_row(&self, place: &PlannedPlace, i: usize, settings: &SegmentSettings) -> StockRow {
        let mean = &self.forecasts[i].mean;
        let daily_qty = mean.iter().sum::<f64>() / mean.len().max(1) as f64;
        let sold = self.night.panel.series(i).sold;
        let on_hand_qty = place.on_hand as f64;
        let facts = MovementFacts {
            days_on_sale: sold.len() as u32,
            days_since_sale: sold
                .iter()
                .rposition(|&qty| qty > 0.0)
                .map(|at| (sold.len() - at) as u32),
            stock_qty: on_hand_qty,
            daily_qty,
        };
        StockRow {
            on_hand_qty,
            on_order_qty: place.on_order as f64,
            unit_cost_minor: unit_cost_minor(self.facts, place.item),
            daily_qty,
            allowed_cover_days: place.protection_days + place.lot_qty as f64 / daily_qty.max(1e-9),
            movement: movement(&facts, settings),
            expected_waste_qty: place.plan.kpi.expected_waste,
        }
    }
}

/// Rates per category and overall; items far above theirs are findings.
fn returns(facts: &Facts, index: &Index, findings: &mut Findings) -> Vec<Kpi> {
    let from = facts.business_date - PERIOD_DAYS;
    let mut rows = vec![ReturnRow { sold_qty: 0.0, returned_qty: 0.0 }; facts.items.len()];
    for series in &facts.sales {
        let Some(item) = index.item(&series.item_id) else { continue };
        for day in series.days.iter().filter(|day| day.date >= from) {
            rows[item].sold_qty += day.qty as f64;
            rows[item].returned_qty += f64::from(day.returned_qty);
        }
    }
    if rows.iter().all(|row| row.returned_qty == 0.0) {
        // A feed without returns says nothing about them.
        return Vec::new();
    }
    for (item, finding) in return_alerts(&rows, &ReturnLimits::default()) {
        findings.sku(&facts.items[item].item_id, "", finding);
    }
    scoped(&rows, RETURNS, |item| match facts.items[item].category.as_str() {
        "" => Vec::new(),
        category => vec![Scope::Category(category.to_owned())],
    })
}

/// Orders that were promised for a day of the period.
fn deliveries(facts: &Facts) -> Vec<DeliveryRow> {
    let from = facts.business_date - PERIOD_DAYS;
    let orders =
        facts.orders.iter().filter(|order| !order.cancelled && !order.supplier_id.is_empty());
    orders
        .filter_map(|order| {
            let promised_on = order.expected_on.filter(|day| *day >= from)?;
            let receipts = order.received_on.map(|day| (day, order.received_qty as f64));
            Some(DeliveryRow {
                supplier_id: order.supplier_id.clone(),
                ordered_qty: order.qty as f64,
                promised_on,
                receipts: receipts.into_iter().collect(),
            })
        })
        .collect()
}
