//! The demo knows the demand that nobody saw, so forecasts and plans can be held against it.

mod demo_effects;
mod support;

use std::collections::{BTreeMap, HashMap};

use granary::jobs::demo::{DemoConfig, Truth};
use granary::store::db;
use granary_models::calendar::Day;
use support::{Shop, nightly_job};

/// Days of the horizon that are judged: those that are published.
const DAYS: usize = 28;
/// The fill rate that the shipped job aims at.
const TARGET_FILL: f64 = 0.98;

type Key = (String, String);

async fn rows(shop: &Shop, sql: &'static str) -> Vec<db::Row> {
    db::query(sql)
        .bind(shop.config.business_date.to_string())
        .rows(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql)
}

fn key(row: &db::Row) -> Key {
    (row.try_get("item_id").expect("a column"), row.try_get("location_id").expect("a column"))
}

fn day(row: &db::Row, column: &'static str) -> Day {
    row.try_get::<String>(column).expect("a column").parse().expect("a date")
}

/// What one unit weighs in a sum over items: its price, per smallest unit.
async fn prices(shop: &Shop) -> HashMap<String, f64> {
    rows(shop, "SELECT item_id, unit_price_minor, qty_decimals FROM item WHERE $1 <> ''")
        .await
        .iter()
        .map(|row| {
            let per_base = 10f64.powi(row.try_get::<i64>("qty_decimals").expect("a column") as i32);
            (
                row.try_get("item_id").expect("a column"),
                row.try_get::<i64>("unit_price_minor").expect("a column") as f64 / per_base,
            )
        })
        .collect()
}

#[derive(Default)]
struct Judged {
    model_error: f64,
    naive_error: f64,
    bias: f64,
    demand: f64,
    inside: f64,
    plain: f64,
    days: f64,
}

/// Share of the outcome that lies in the central 90% of its forecast. Demand is whole units, so an
/// outcome stands for the range `F(d - 1)..F(d)` of probability, and an interval that counted its
/// edges in full would cover more than its level however good the forecast (Czado, Gneiting & Held
/// 2009, "Predictive Model Assessment for Count Data").
fn inside(mean: f64, dispersion: f64, demand: f64) -> f64 {
    let size = 1.0 / dispersion.max(1e-9);
    let odds = mean / (size + mean);
    let mut mass = (-(size * (mean / size).ln_1p())).exp();
    let mut below = 0.0;
    for count in 0..demand as u64 {
        below += mass;
        mass *= odds * (size + count as f64) / (count as f64 + 1.0);
    }
    if mass <= 0.0 {
        return 0.0;
    }
    ((below + mass).min(0.95) - below.max(0.05)).max(0.0) / mass
}

async fn judge_forecasts(shop: &Shop, truth: &Truth) -> Judged {
    let origin = shop.config.business_date;
    let price = prices(shop).await;
    let mut last_week: HashMap<(Key, Day), f64> = HashMap::new();
    let sql = "SELECT item_id, location_id, date, qty FROM sales WHERE date >= date($1, '-7 days')";
    for row in rows(shop, sql).await {
        last_week.insert(
            (key(&row), day(&row, "date")),
            row.try_get::<i64>("qty").expect("a column") as f64,
        );
    }
    let mut came: HashMap<(Key, Day), f64> = HashMap::new();
    for (key, series) in &truth.series {
        for day in series.future.iter().take_while(|day| day.date < origin + DAYS as i32) {
            came.insert((key.clone(), day.date), day.demand as f64);
        }
    }
    let mut judged = Judged::default();
    let sql = "SELECT f.item_id, f.location_id, f.date, f.mean, f.q05, f.q95, s.dispersion \
               FROM v_forecast_current f \
               JOIN forecast_series s USING (run_id, item_id, location_id) \
               WHERE f.business_date = $1";
    for row in rows(shop, sql).await {
        let (key, date) = (key(&row), day(&row, "date"));
        let Some(&demand) = came.get(&(key.clone(), date)) else { continue };
        let weight = price[&key.0];
        let mean: f64 = row.try_get("mean").expect("a column");
        let weeks = (date - origin) / 7 + 1;
        let naive = last_week.get(&(key, date - 7 * weeks)).copied().unwrap_or(0.0);
        judged.model_error += weight * (mean - demand).abs();
        judged.naive_error += weight * (naive - demand).abs();
        judged.bias += weight * (mean - demand);
        judged.demand += weight * demand;
        let (low, high) = (
            row.try_get::<f64>("q05").expect("a column"),
            row.try_get::<f64>("q95").expect("a column"),
        );
        let plain = f64::from(low <= demand && demand <= high);
        judged.plain += plain;
        // Where a unit is a small part of demand, the edges hardly matter.
        let counts = mean < 50.0;
        judged.inside += if counts {
            inside(mean, row.try_get("dispersion").expect("a column"), demand)
        } else {
            plain
        };
        judged.days += 1.0;
    }
    judged
}

/// Value forecast and asked for on the days of Double-11, by kind of place.
async fn peak_forecasts(shop: &Shop, truth: &Truth) -> BTreeMap<String, (f64, f64)> {
    let price = prices(shop).await;
    let sql = "SELECT f.item_id, f.location_id, f.date, f.mean, l.kind FROM v_forecast_current f \
               JOIN location l USING (location_id) JOIN calendar_event e ON e.name = 'double-11' \
               AND f.date BETWEEN e.starts_on AND e.ends_on \
               WHERE f.business_date = $1 AND l.region LIKE 'CN%'";
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for row in rows(shop, sql).await {
        let (key, date) = (key(&row), day(&row, "date"));
        let Some(series) = truth.series.get(&key) else { continue };
        let Some(came) = series.future.iter().find(|day| day.date == date) else { continue };
        let sum = sums.entry(row.try_get("kind").expect("a column")).or_default();
        sum.0 += price[&key.0] * row.try_get::<f64>("mean").expect("a column");
        sum.1 += price[&key.0] * came.demand as f64;
    }
    sums
}

struct Line {
    qty: f64,
    expected_on: Day,
}

/// Value of the demand that the plan's orders are there to serve, and of what they serve.
#[derive(Default)]
struct Served {
    demand: f64,
    sold: f64,
    lines: usize,
}

/// Plays the true demand against stock, open orders and tonight's lines. Each line answers for the
/// days from its arrival to the next order's; what was lost before it could arrive is not its doing.
/// Lines that the centre cut for want of stock are left out: no policy sells what is not there.
async fn serve(shop: &Shop, truth: &Truth) -> Served {
    let price = prices(shop).await;
    let mut stock: HashMap<Key, f64> = HashMap::new();
    let sql = "SELECT item_id, location_id, on_hand - reserved - backordered AS free FROM stock \
               WHERE date = date($1, '-1 day')";
    for row in rows(shop, sql).await {
        stock.insert(key(&row), row.try_get::<i64>("free").expect("a column") as f64);
    }
    let mut arrivals: HashMap<Key, Vec<(Day, f64)>> = HashMap::new();
    let sql = "SELECT item_id, location_id, max(expected_on, date($1, '+1 day')) AS due, \
               qty - received_qty AS qty FROM purchase_order WHERE state = 'open'";
    for row in rows(shop, sql).await {
        let qty = row.try_get::<i64>("qty").expect("a column") as f64;
        arrivals.entry(key(&row)).or_default().push((day(&row, "due"), qty));
    }
    let mut review: HashMap<Key, i32> = HashMap::new();
    let sql = "SELECT item_id, location_id, review_days FROM supply_terms \
               WHERE priority = 1 AND $1 <> ''";
    for row in rows(shop, sql).await {
        review.insert(key(&row), row.try_get::<i64>("review_days").expect("a column") as i32);
    }
    let mut lines: HashMap<Key, Line> = HashMap::new();
    let sql = "SELECT item_id, location_id, qty, expected_on FROM v_plan_current \
               WHERE business_date = $1 AND state = 'proposed' AND reason NOT LIKE '%dc_short%'";
    for row in rows(shop, sql).await {
        let line = Line {
            qty: row.try_get::<i64>("qty").expect("a column") as f64,
            expected_on: day(&row, "expected_on"),
        };
        lines.insert(key(&row), line);
    }
    let mut served = Served::default();
    for (key, series) in &truth.series {
        let (Some(line), Some(&review_days)) = (lines.get(key), review.get(key)) else { continue };
        let mut on_hand = stock.get(key).copied().unwrap_or(0.0);
        let window = line.expected_on..line.expected_on + review_days;
        served.lines += 1;
        for day in &series.future {
            let due = arrivals.get(key).into_iter().flatten().filter(|(due, _)| *due == day.date);
            on_hand += due.map(|(_, qty)| qty).sum::<f64>();
            if day.date == line.expected_on {
                on_hand += line.qty;
            }
            let demand = day.demand as f64;
            let sold = demand.min(on_hand.max(0.0));
            on_hand -= sold;
            if window.contains(&day.date) {
                served.demand += price[&key.0] * demand;
                served.sold += price[&key.0] * sold;
            }
        }
    }
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_and_plan_hold_against_the_true_demand() {
    // More items for the figures of benches/README.md.
    let asked = std::env::var("GRANARY_DEMO_ITEMS").ok();
    let items = asked.map_or(300, |items| items.parse().expect("a number of items"));
    let shop = Shop::open(DemoConfig { items, ..DemoConfig::default() }).await;
    shop.night(&nightly_job(), 0).await;
    let truth = Truth::read(shop.folder.path()).expect("the truth");

    let judged = judge_forecasts(&shop, &truth).await;
    let wape = judged.model_error / judged.demand;
    let naive = judged.naive_error / judged.demand;
    let coverage = judged.inside / judged.days;
    println!(
        "{} days: WAPE {wape:.4}, seasonal naive {naive:.4}, bias {:+.4}; 90% covers \
         {coverage:.4}, {:.4} with both edges",
        judged.days,
        judged.bias / judged.demand,
        judged.plain / judged.days
    );
    let mut double_11 = (0.0, 0.0);
    for (kind, (forecast, demand)) in peak_forecasts(&shop, &truth).await {
        println!("Double-11, {kind}: forecast {forecast:.0} of {demand:.0}");
        double_11 = (double_11.0 + forecast, double_11.1 + demand);
    }
    demo_effects::check(&shop, &truth, &nightly_job().name).await;
    let served = serve(&shop, &truth).await;
    let fill = served.sold / served.demand;
    println!("{} lines: fill {fill:.4} for a target of {TARGET_FILL}", served.lines);

    assert!(judged.days > 5_000.0, "too few days to judge");
    assert!(wape <= 0.8 * naive, "WAPE {wape:.4} against {naive:.4}");
    assert!((0.86..=0.94).contains(&coverage), "90% intervals cover {coverage:.4}");
    let peak = double_11.0 / double_11.1;
    assert!((0.85..=1.15).contains(&peak), "Double-11 is forecast at {peak:.2} of what came");
    assert!(served.lines > 100, "{} lines", served.lines);
    assert!((fill - TARGET_FILL).abs() <= 0.02, "fill {fill:.4} for {TARGET_FILL}");
}
