//! Real nights on consecutive dates: what went out yesterday is not ordered again today.

use std::collections::BTreeMap;

use granary::config::{Exit, Job};
use granary::jobs::demo::DemoConfig;
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::store::db;
use granary_models::calendar::Day;

use crate::support::{Shop, assert_same_plan, dump, nightly_job};

fn small() -> DemoConfig {
    DemoConfig { items: 60, days: 400, ..DemoConfig::default() }
}

/// A job that releases everything but what a gate holds, on inputs that stand still for some days.
fn auto() -> Job {
    let mut job = nightly_job();
    job.freshness.sales_max_age_days = 20;
    job.freshness.stock_max_age_days = 20;
    job.gates.max_run_value_change = 0.0;
    job.release.auto = true;
    job.release.approve_above_minor = 0;
    job.release.second_person_above_minor = 0;
    job
}

async fn night(shop: &Shop, job: &Job, date: Day) -> RunOutcome {
    let options = RunOptions { threads: 0, on_stage: &|_| {} };
    nightly::run(&shop.store, job, date, &options).await.expect("a night")
}

/// Quantities by item and place; purchases and transfers alike.
async fn ordered(shop: &Shop, sql: &'static str) -> BTreeMap<(String, String), i64> {
    let rows: Vec<(String, String, i64)> = db::query_as(sql)
        .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql);
    rows.into_iter().map(|(item, place, qty)| ((item, place), qty)).collect()
}

const RELEASED: &str = "SELECT item_id, location_id, CAST(sum(qty) AS BIGINT) FROM released_line \
                        GROUP BY item_id, location_id";
const PLANNED: &str = "SELECT item_id, location_id, CAST(sum(qty) AS BIGINT) FROM v_plan_current \
                       GROUP BY item_id, location_id";

#[tokio::test(flavor = "multi_thread")]
async fn nights_on_consecutive_dates_do_not_double_an_order() {
    let shop = Shop::open(small()).await;
    let date = shop.config.business_date;
    // What a night would order that knows of no release: the need itself.
    let mut blind = auto();
    blind.release.auto = false;
    night(&shop, &blind, date).await;
    let first_need: i64 = ordered(&shop, PLANNED).await.values().sum();

    let outcome = night(&shop, &auto(), date).await;
    let sent = outcome.released.as_ref().expect("a release");
    assert!(sent.lines > 20, "{sent:?}");
    assert_eq!(sent.left, outcome.counts.lines_held, "only gates left something behind");
    assert_eq!(outcome.exit() == Exit::PlanHeld, outcome.counts.lines_held > 0);
    let first: i64 = ordered(&shop, RELEASED).await.values().sum();

    // The same night again: nothing.
    let again = night(&shop, &auto(), date).await;
    assert_eq!(again.released.as_ref().expect("a release").release_id, None);
    assert_eq!(ordered(&shop, RELEASED).await.values().sum::<i64>(), first);

    // Three more nights on the same counts, each releasing. A day of demand more each night may need
    // a little more; the first need again would be doubling.
    for days in 1..=3 {
        night(&shop, &auto(), date + days).await;
    }
    let all: i64 = ordered(&shop, RELEASED).await.values().sum();
    let later = all - first;
    println!("first need {first_need}, released {first} on the first night, {later} on three more");
    assert!(later * 2 < first, "{later} after {first}: orders are repeated");

    // Without released lines the last night orders what all of them did, so nothing is lost either.
    let blind_shop = Shop::open(small()).await;
    night(&blind_shop, &blind, date + 3).await;
    let need: i64 = ordered(&blind_shop, PLANNED).await.values().sum();
    println!("a night that starts afresh needs {need}, the four nights sent {all}");
    assert!(all * 10 < need * 13, "{all} ordered where {need} is needed");
    assert!(all * 10 > need * 7, "{all} ordered where {need} is needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_the_upstream_shows_takes_the_lines_place() {
    let shop = Shop::open(small()).await;
    let date = shop.config.business_date;
    night(&shop, &auto(), date).await;
    let mut by_hand = auto();
    by_hand.release.auto = false;
    night(&shop, &by_hand, date + 1).await;
    let before = ordered(&shop, PLANNED).await;
    let counted = "SELECT CAST(coalesce(sum(occurrences), 0) AS BIGINT) FROM finding \
                   WHERE code = 'released_on_order'";
    let lines: i64 = db::query_scalar(counted)
        .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    assert!(lines > 20, "{lines}");
    // The upstream's feed catches up, with our keys or without.
    let echo = "INSERT INTO purchase_order (po_id, item_id, location_id, supplier_id, \
                source_location_id, ordered_on, expected_on, qty, unit_cost_minor, \
                released_line_key) SELECT line_key, item_id, location_id, supplier_id, \
                source_location_id, order_on, expected_on, qty, unit_cost_minor, \
                CASE WHEN priority % 2 = 0 THEN line_key ELSE '' END FROM released_line \
                WHERE kind = 'purchase'";
    shop.store.execute(db::query(echo)).await.expect("orders");
    night(&shop, &by_hand, date + 1).await;
    let after = ordered(&shop, PLANNED).await;
    // Lead times are learned from orders, so a line may move by a lot; none may be ordered anew.
    let sum = |plan: &BTreeMap<_, i64>| plan.values().sum::<i64>();
    println!("planned {} before the orders were shown, {} after", sum(&before), sum(&after));
    assert!((sum(&after) - sum(&before)).abs() * 20 <= sum(&before).max(100), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_with_releases_is_repeatable() {
    let shop = Shop::open(small()).await;
    let date = shop.config.business_date;
    for days in 0..2 {
        night(&shop, &auto(), date + days).await;
    }
    let plan = dump(&shop.store).await;
    for _ in 0..2 {
        night(&shop, &auto(), date + 1).await;
        assert_same_plan(&plan, &dump(&shop.store).await, "again");
    }
}
