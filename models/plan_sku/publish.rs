//! What the stock will be with and without tonight's lines.

use crate::calendar::Day;
use crate::plan_sku::input::{Arrival, ItemSupply, Node};
use crate::plan_sku::stage::Scratch;
use crate::plan_sku::{LocationKpi, LocationProjection};
use crate::policy::order::mean;
use crate::policy::projection::project;

/// Projects the demand in `scratch` twice; its receipts must be those of the open orders.
pub(super) fn publish(
    scratch: &mut Scratch,
    item: &ItemSupply,
    node: &Node,
    today: Day,
) -> (LocationProjection, LocationKpi) {
    let days = scratch.demand.days;
    let Scratch { demand, receipts, projection, counts, .. } = scratch;
    project(demand, receipts, &node.opening, item.shortage, projection);
    let without: Vec<i64> =
        (0..days).map(|day| projection.closing.quantiles(day, [0.5], counts)[0]).collect();
    let lost_without = mean(&projection.lost);
    if !node.planned.is_empty() {
        for &(qty, day) in &node.planned {
            receipts.add_on(day as usize, qty as f64);
        }
        project(demand, receipts, &node.opening, item.shortage, projection);
    }
    let mut out = LocationProjection {
        from: today,
        receipts: vec![0; days],
        p50_without: without,
        ..LocationProjection::default()
    };
    let planned = node.planned.iter().map(|&(qty, day)| (qty, Arrival::On(day)));
    for (qty, arrival) in node.incoming.iter().cloned().chain(planned) {
        if let Some(there) = out.receipts.get_mut(arrival.median() as usize) {
            *there += qty;
        }
    }
    for day in 0..days {
        let [p10, p50, p90] = projection.closing.quantiles(day, [0.1, 0.5, 0.9], counts);
        out.p10.push(p10);
        out.p50.push(p50);
        out.p90.push(p90);
    }
    let expected_demand = demand.values.iter().sum::<f64>() / demand.paths.max(1) as f64;
    let daily = expected_demand / days.max(1) as f64;
    let kpi = LocationKpi {
        expected_demand,
        expected_lost: mean(&projection.lost),
        expected_lost_without: lost_without,
        expected_waste: mean(&projection.wasted),
        stock_value_minor: item.unit.value_minor(node.on_hand, item.unit_cost_minor),
        days_of_cover: (daily > 0.0).then(|| node.on_hand as f64 / daily),
    };
    (out, kpi)
}
