//! Segments and figures that tell a planner how the night looks as a whole.

use granary_models::forecast::demand_class::DemandClass;
use granary_models::forecast::sku_forecast::SkuForecast;
use granary_models::policy::terms::SupplyKind;

use super::facts::Facts;
use super::panel::NightPanel;
use super::planning::Planned;
use crate::store::publish::KpiRow;

/// Days of sales by which items are ranked.
const ABC_DAYS: usize = 91;
/// Shares of revenue at which A ends and B ends.
const ABC_SHARES: [f64; 2] = [0.8, 0.95];

/// A, B or C per series: the few that bring 80% of the revenue, the next 15%, the rest.
pub fn abc(facts: &Facts, night: &NightPanel) -> Vec<&'static str> {
    let revenue: Vec<f64> = (0..night.keys.len())
        .map(|i| {
            let item = &facts.items[night.keys[i].item];
            let price = item.unit_price_minor.or(facts.defaults.unit_price_minor).unwrap_or(1);
            let series = night.panel.series(i);
            let recent = series.len().saturating_sub(ABC_DAYS);
            let units =
                series.sold[recent..].iter().sum::<f64>() / 10f64.powi(item.qty_decimals as i32);
            units * price as f64
        })
        .collect();
    let total: f64 = revenue.iter().sum();
    let mut order: Vec<usize> = (0..revenue.len()).collect();
    order.sort_by(|&a, &b| revenue[b].total_cmp(&revenue[a]).then(a.cmp(&b)));
    let mut classes = vec!["C"; revenue.len()];
    let mut before = 0.0;
    for i in order {
        if revenue[i] <= 0.0 || before >= ABC_SHARES[1] * total {
            break;
        }
        classes[i] = if before < ABC_SHARES[0] * total { "A" } else { "B" };
        before += revenue[i];
    }
    classes
}

/// X is steady demand, Y swings, Z comes now and then or is not known yet.
pub fn xyz(forecast: &SkuForecast) -> &'static str {
    match forecast.class {
        DemandClass::Smooth => "X",
        DemandClass::Erratic => "Y",
        _ => "Z",
    }
}

pub fn kpis(facts: &Facts, planned: &Planned) -> Vec<KpiRow> {
    let mut stock_minor = 0.0;
    let mut waste_minor = 0.0;
    for place in &planned.places {
        let item = &facts.items[place.item];
        let cost = item.unit_cost_minor.or(facts.defaults.unit_cost_minor).unwrap_or(0) as f64;
        stock_minor += place.plan.kpi.stock_value_minor as f64;
        waste_minor += place.plan.kpi.expected_waste * cost / 10f64.powi(item.qty_decimals as i32);
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
