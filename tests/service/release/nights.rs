//! Real nights on consecutive dates: what went out yesterday is not ordered again today.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use granary::config::{Exit, Job, Table};
use granary::jobs::demo::DemoConfig;
use granary::jobs::import::{ImportOptions, import_files};
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::sources::Map;
use granary::store::{Store, db};
use granary_models::calendar::Day;

use crate::support::{Shop, assert_same_plan, database, dump, nightly_job};

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
    let options = RunOptions { threads: 0, ..RunOptions::default() };
    nightly::run(&shop.store, job, date, &options).await.expect("a night")
}

/// Quantities by item and place.
async fn ordered(shop: &Shop, sql: &'static str) -> BTreeMap<(String, String), i64> {
    let rows: Vec<(String, String, i64)> = db::query_as(sql)
        .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql);
    rows.into_iter().map(|(item, place, qty)| ((item, place), qty)).collect()
}

/// Pieces only: grams would drown them.
const BOUGHT: &str = "SELECT item_id, location_id, CAST(sum(qty) AS BIGINT) FROM released_line \
                      WHERE kind = 'purchase' AND qty_decimals = 0 GROUP BY item_id, location_id";
const PLANNED: &str = "SELECT l.item_id, l.location_id, CAST(sum(l.qty) AS BIGINT) \
                       FROM v_plan_current l JOIN item i ON i.item_id = l.item_id \
                       WHERE l.kind = 'purchase' AND i.qty_decimals = 0 \
                       GROUP BY l.item_id, l.location_id";

/// One item that sells the same every week, with one count of stock: what four nights order together
/// is what one night orders that starts on the last of the dates.
#[tokio::test(flavor = "multi_thread")]
async fn four_nights_order_once_what_one_night_needs() {
    let mut job = Job::read(&steady_shop().join("job.toml")).expect("a job");
    job.freshness.sales_max_age_days = 20;
    job.freshness.stock_max_age_days = 20;
    job.gates.max_run_value_change = 0.0;
    let date: Day = "2025-03-03".parse().expect("a date");
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    let planned = async |store: &Store, job: &Job, date: Day| -> i64 {
        nightly::run(store, job, date, &options).await.expect("a night");
        db::query_scalar("SELECT CAST(coalesce(sum(qty), 0) AS BIGINT) FROM v_plan_current")
            .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
            .await
            .expect("a sum")
    };
    let (_kept, store) = open_steady_shop().await;
    job.release.auto = true;
    let mut ordered = Vec::new();
    for days in 0..4 {
        let qty = planned(&store, &job, date + days).await;
        assert_eq!(planned(&store, &job, date + days).await, qty, "the same night again");
        ordered.push(qty);
    }
    let (_kept, blind) = open_steady_shop().await;
    job.release.auto = false;
    let first = planned(&blind, &job, date).await;
    let last = planned(&blind, &job, date + 3).await;
    let all: i64 = ordered.iter().sum();
    assert_eq!(first, ordered[0]);
    assert!((all - last).abs() <= 5, "{ordered:?} where a night afresh needs {last}");
    let out: i64 = db::query_scalar("SELECT CAST(sum(qty) AS BIGINT) FROM released_line")
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a sum");
    assert_eq!(out, all);
}

fn steady_shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/steady_shop/in")
}

async fn open_steady_shop() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = database::open(&database::address(folder.path()).await).await;
    for name in ["item", "location", "supply_terms", "sales", "stock"] {
        let table = Table::named(name).expect("an input table");
        let file = steady_shop().join(format!("{name}.csv"));
        let options = ImportOptions::default();
        let report = import_files(&store, table, &[file], &Map::default(), &options, |_| {})
            .await
            .expect("the import runs");
        assert_eq!(report.refused, None, "{name}");
    }
    (folder, store)
}

/// A whole retailer: where a minimum, a pack or a price break makes a little more into a lot more, the
/// second night may add to the first, but far less than ordering anew would.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_night_does_not_order_the_first_again() {
    let shop = Shop::open(small()).await;
    let date = shop.config.business_date;
    let outcome = night(&shop, &auto(), date).await;
    let sent = outcome.released.as_ref().expect("a release");
    assert!(sent.lines > 20, "{sent:?}");
    assert_eq!(sent.left, outcome.counts.lines_held, "only gates left something behind");
    assert_eq!(outcome.exit() == Exit::PlanHeld, outcome.counts.lines_held > 0);
    let first = ordered(&shop, BOUGHT).await;
    let again = night(&shop, &auto(), date).await;
    assert_eq!(again.released.as_ref().expect("a release").release_id, None, "the same again");
    night(&shop, &auto(), date + 1).await;
    let both = ordered(&shop, BOUGHT).await;

    let blind_shop = Shop::open(small()).await;
    let mut blind = auto();
    blind.release.auto = false;
    night(&blind_shop, &blind, date + 1).await;
    let need = ordered(&blind_shop, PLANNED).await;
    let sum = |of: &BTreeMap<_, i64>| of.values().sum::<i64>();
    let (first, both, need) = (sum(&first), sum(&both), sum(&need));
    println!("{first} on the first night, {both} on both, {need} by a night afresh");
    assert!(both - need < first / 3, "{both} where {need} is needed: the first {first} came twice");
    assert!(need - both < first / 3, "{both} where {need} is needed: something was lost");
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
