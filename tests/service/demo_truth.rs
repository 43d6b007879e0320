//! The demo knows the demand that nobody saw, so forecasts and plans can be held against it.

mod support;

use std::collections::HashMap;

use granary::jobs::demo::{DemoConfig, Truth};
use granary_models::calendar::Day;
use sqlx::Row;
use support::{Shop, nightly_job};

/// Days of the horizon that are judged: those that are published.
const DAYS: usize = 28;

struct Judged {
    model_error: f64,
    naive_error: f64,
    demand: f64,
    bias: f64,
    inside90: usize,
    days: usize,
}

/// Last week repeated: same weekday, the newest one with the shop open.
fn seasonal_naive(history: &HashMap<Day, i64>, origin: Day, day: Day) -> f64 {
    let weeks = (day - origin) / 7 + 1;
    history.get(&(day - 7 * weeks)).copied().unwrap_or(0) as f64
}

async fn judge(shop: &Shop, truth: &Truth) -> Judged {
    let origin = shop.config.business_date;
    let mut histories: HashMap<(String, String), HashMap<Day, i64>> = HashMap::new();
    let rows = sqlx::query("SELECT item_id, location_id, date, qty FROM sales WHERE date >= ?1")
        .bind((origin - 7).to_string())
        .fetch_all(&shop.store.reader)
        .await
        .expect("sales");
    for row in rows {
        let day: Day = row.get::<String, _>("date").parse().expect("a date");
        histories
            .entry((row.get("item_id"), row.get("location_id")))
            .or_default()
            .insert(day, row.get("qty"));
    }
    let none = HashMap::new();
    let mut judged =
        Judged { model_error: 0.0, naive_error: 0.0, demand: 0.0, bias: 0.0, inside90: 0, days: 0 };
    let rows =
        sqlx::query("SELECT item_id, location_id, date, mean, q05, q95 FROM v_forecast_current")
            .fetch_all(&shop.store.reader)
            .await
            .expect("forecasts");
    let mut true_days: HashMap<(String, String, Day), i64> = HashMap::new();
    for ((item, location), series) in &truth.series {
        for day in series.future.iter().take(DAYS) {
            true_days.insert((item.clone(), location.clone(), day.date), day.demand);
        }
    }
    for row in rows {
        let (item, location): (String, String) = (row.get("item_id"), row.get("location_id"));
        let day: Day = row.get::<String, _>("date").parse().expect("a date");
        let Some(&demand) = true_days.get(&(item.clone(), location.clone(), day)) else { continue };
        let demand = demand as f64;
        let history = histories.get(&(item, location)).unwrap_or(&none);
        let mean: f64 = row.get("mean");
        judged.model_error += (mean - demand).abs();
        judged.naive_error += (seasonal_naive(history, origin, day) - demand).abs();
        judged.bias += mean - demand;
        judged.demand += demand;
        let inside = row.get::<f64, _>("q05") <= demand && demand <= row.get::<f64, _>("q95");
        judged.inside90 += usize::from(inside);
        judged.days += 1;
    }
    judged
}

#[tokio::test(flavor = "multi_thread")]
async fn forecasts_and_plan_hold_against_the_true_demand() {
    let config = DemoConfig { items: 300, ..DemoConfig::default() };
    let shop = Shop::open(config).await;
    shop.night(&nightly_job(), 0).await;
    let truth = Truth::read(shop.folder.path()).expect("the truth");
    let judged = judge(&shop, &truth).await;
    let wape = judged.model_error / judged.demand;
    let naive = judged.naive_error / judged.demand;
    let coverage = judged.inside90 as f64 / judged.days as f64;
    println!(
        "{} days: WAPE {wape:.4}, seasonal naive {naive:.4}, bias {:+.4}, 90% covers {coverage:.4}",
        judged.days,
        judged.bias / judged.demand
    );
    assert!(judged.days > 5_000, "{}", judged.days);
    assert!(wape <= 0.8 * naive, "WAPE {wape:.4} against {naive:.4}");
    assert!((0.86..=0.94).contains(&coverage), "90% intervals cover {coverage:.4}");
}
