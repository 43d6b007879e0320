//! Segments and figures that tell a planner how the night looks as a whole. The mathematics is in
//! `granary_models::plan::{segment, kpi}`; here its inputs are gathered.

mod kpis;

use granary_models::plan::segment::{
    Abc, ItemFigures, SegmentSettings, abc, quadrants, roles, xyz_by_class,
};

use super::facts::Facts;
use super::panel::NightPanel;
use crate::store::publish::SegmentRow;

pub use kpis::kpis;

/// Days of sales, views, stock and deliveries that segments and figures look at.
pub const PERIOD_DAYS: i32 = 91;

/// What one series sold in the period.
struct Sold {
    /// Base units.
    units: f64,
    revenue_minor: f64,
    cogs_minor: f64,
}

/// Per series. Where no price is known revenue counts units, so that ranks still tell something.
fn sold(facts: &Facts, night: &NightPanel) -> Vec<Sold> {
    let of = |i: usize| {
        let item = &facts.items[night.keys[i].item];
        let price = item.unit_price_minor.or(facts.defaults.unit_price_minor).unwrap_or(1);
        let cost = item.unit_cost_minor.or(facts.defaults.unit_cost_minor).unwrap_or(0);
        let series = night.panel.series(i);
        let recent = series.len().saturating_sub(PERIOD_DAYS as usize);
        let units =
            series.sold[recent..].iter().sum::<f64>() / 10f64.powi(item.qty_decimals as i32);
        let revenue_minor = units * price as f64;
        Sold { units, revenue_minor, cogs_minor: units * cost as f64 }
    };
    (0..night.keys.len()).map(of).collect()
}

/// ABC and XYZ per series, role and quadrant per item.
pub fn segments(
    facts: &Facts,
    night: &NightPanel,
    classes: impl Fn(usize) -> granary_models::forecast::demand_class::DemandClass,
    ids: impl Fn(usize) -> (std::sync::Arc<str>, std::sync::Arc<str>),
) -> Vec<SegmentRow> {
    let settings = SegmentSettings::default();
    let sold = sold(facts, night);
    let revenue: Vec<f64> = sold.iter().map(|sold| sold.revenue_minor).collect();
    let abc: Vec<Abc> = abc(&revenue, settings.abc_shares);
    let figures = item_figures(facts, night, &sold);
    let roles = roles(&figures, &settings);
    let quadrants = quadrants(&figures);
    (0..night.keys.len())
        .map(|i| {
            let item = night.keys[i].item;
            let (item_id, location_id) = ids(i);
            SegmentRow {
                item_id,
                location_id,
                abc: abc[i].as_str(),
                xyz: xyz_by_class(classes(i)).as_str(),
                role: match facts.items[item].role.as_str() {
                    "traffic" => "traffic",
                    "profit" => "profit",
                    "image" => "image",
                    "custom" => "custom",
                    _ => roles[item].role.as_str(),
                },
                quadrant: quadrants[item].map_or("", |reason| reason.quadrant.as_str()),
            }
        })
        .collect()
}

fn item_figures<'a>(facts: &'a Facts, night: &NightPanel, sold: &[Sold]) -> Vec<ItemFigures<'a>> {
    let mut figures: Vec<ItemFigures> = facts
        .items
        .iter()
        .map(|item| ItemFigures {
            category: &item.category,
            price_minor: item.unit_price_minor.map(|price| price as f64),
            made_to_order: item.status == "presale",
            ..ItemFigures::default()
        })
        .collect();
    for (key, sold) in night.keys.iter().zip(sold) {
        let figures = &mut figures[key.item];
        figures.orders += sold.units;
        figures.revenue_minor += sold.revenue_minor;
        figures.margin_minor += sold.revenue_minor - sold.cogs_minor;
    }
    let from = facts.business_date - PERIOD_DAYS;
    let mut item = 0;
    // Both are sorted by item.
    for row in facts.behaviour.iter().filter(|row| row.date >= from) {
        while item < facts.items.len() && facts.items[item].item_id < row.item_id {
            item += 1;
        }
        if item < facts.items.len() && facts.items[item].item_id == row.item_id {
            *figures[item].views.get_or_insert(0.0) += row.views as f64;
        }
    }
    figures
}
