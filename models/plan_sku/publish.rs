//! What the stock will be with and without tonight's lines.

use crate::calendar::Day;
use crate::plan_sku::input::{ItemSupply, Node};
use crate::plan_sku::stage::{Scratch, Shape};
use crate::plan_sku::{LocationKpi, LocationProjection};
use crate::policy::order::mean;
use crate::policy::projection::{PathMatrix, project};

/// Loads what will leave location `at`: its own sales, and what it sends to the locations behind
/// it, which is tonight's transfers first and from then on what those sell.
pub(super) fn load(
    scratch: &mut Scratch,
    item: &ItemSupply,
    shape: Shape,
    at: usize,
    behind: &[usize],
    sent_today: i64,
) {
    let demand = &mut scratch.demand;
    demand.reset(shape.paths, shape.days, 0.0);
    let of = |at: usize| item.locations[at].demand.as_ref().filter(|d| shape.fits(d));
    for &other in behind {
        add_own_demand(demand, item, shape, other);
    }
    if of(at).is_none() {
        serve_first(demand, item.locations[at].predecessor_qty);
    }
    if sent_today > 0 {
        let sent = sent_today as f64;
        for path in 0..shape.paths {
            let (mut sold, mut left) = (0.0, 0.0);
            for day in 0..shape.days {
                let at = day * shape.paths + path;
                sold += demand.values[at];
                let total = f64::max(sold, sent);
                demand.values[at] = total - left;
                left = total;
            }
        }
    }
    add_own_demand(demand, item, shape, at);
}

/// Adds what a location's shoppers ask for once the predecessor's stock there is sold.
fn add_own_demand(demand: &mut PathMatrix, item: &ItemSupply, shape: Shape, at: usize) {
    let location = &item.locations[at];
    let Some(own) = location.demand.as_ref().filter(|d| shape.fits(d)) else { return };
    if location.predecessor_qty <= 0 {
        return demand.add_demand(own);
    }
    let mut alone = PathMatrix::default();
    alone.reset(shape.paths, shape.days, 0.0);
    alone.add_demand(own);
    serve_first(&mut alone, location.predecessor_qty);
    demand.values.iter_mut().zip(&alone.values).for_each(|(sum, own)| *sum += own);
}

/// Takes away, path by path, what the first `qty` units of demand ask for.
fn serve_first(demand: &mut PathMatrix, qty: i64) {
    if qty <= 0 {
        return;
    }
    let mut left = vec![qty as f64; demand.paths];
    for day in 0..demand.days {
        for (left, wanted) in left.iter_mut().zip(demand.row_mut(day)) {
            let served = left.min(*wanted);
            *left -= served;
            *wanted -= served;
        }
    }
}

/// Projects the demand in `scratch` twice; its receipts must be those of the open orders.
pub(super) fn publish(
    scratch: &mut Scratch,
    item: &ItemSupply,
    node: &Node,
    sells: bool,
    today: Day,
) -> (LocationProjection, LocationKpi) {
    let days = scratch.demand.days;
    let Scratch { demand, receipts, projection, counts, .. } = scratch;
    let mut out = LocationProjection {
        from: today,
        receipts: vec![0; days],
        ..LocationProjection::default()
    };
    let coming = node.incoming.iter().map(|(qty, arrival)| (*qty, arrival.median()));
    for (qty, day) in coming.chain(node.planned.iter().map(|line| (line.qty, line.median))) {
        if let Some(there) = out.receipts.get_mut(day as usize) {
            *there += qty;
        }
    }
    project(demand, receipts, &node.opening, item.shortage, projection);
    let lost_without = mean(&projection.lost);
    let mut p50_without = None;
    if !node.planned.is_empty() {
        let median = |day| projection.closing.quantiles(day, [0.5], counts)[0];
        p50_without = Some((0..days).map(median).collect::<Vec<i64>>());
        for line in &node.planned {
            match &line.days {
                Some(days) => receipts.add_on_days(days, line.qty as f64),
                None => receipts.add_on(line.median as usize, line.qty as f64),
            }
        }
        project(demand, receipts, &node.opening, item.shortage, projection);
    }
    for day in 0..days {
        let [p10, p50, p90] = projection.closing.quantiles(day, [0.1, 0.5, 0.9], counts);
        out.p10.push(p10);
        out.p50.push(p50);
        out.p90.push(p90);
    }
    out.p50_without = p50_without.unwrap_or_else(|| out.p50.clone());
    let asked = demand.values.iter().sum::<f64>() / demand.paths.max(1) as f64;
    let daily = asked / days.max(1) as f64;
    // What a warehouse cannot send is lost where it would have sold, and counted there.
    let here = if sells { 1.0 } else { 0.0 };
    let kpi = LocationKpi {
        expected_demand: asked * here,
        expected_lost: mean(&projection.lost) * here,
        expected_lost_without: lost_without * here,
        expected_waste: mean(&projection.wasted),
        stock_value_minor: item.unit.value_minor(node.on_hand, item.unit_cost_minor),
        days_of_cover: (daily > 0.0).then(|| node.on_hand as f64 / daily),
    };
    (out, kpi)
}
