//! What gates remember from night to night: terms until somebody approves them, runs of older
//! versions, other jobs of the same date.

use std::collections::BTreeSet;
use std::path::Path;

use granary::config::Job;
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::store::{Store, db};
use granary_models::calendar::Day;
use granary_models::plan::gates::GateLimits;

use crate::retailer::{Offer, Retailer, import};
use crate::{count, execute, lines_of};

/// Only what is compared here; a small retailer's value moves a lot in its first nights.
fn steady() -> GateLimits {
    GateLimits { max_terms_change: 2.0, ..GateLimits::off() }
}

async fn retailer(folder: &Path) -> (Store, Retailer) {
    let store = Store::open(&folder.join("nights.db")).await.expect("a database");
    let mut retailer = Retailer::draw(7);
    retailer.load(&store, folder).await;
    (store, retailer)
}

async fn night(store: &Store, job: &str, date: Day, gates: GateLimits) -> RunOutcome {
    let text = format!(
        "name = \"{job}\"\nkind = \"nightly\"\n[freshness]\nsales_max_age_days = 9\n\
         stock_max_age_days = 9\n[forecast]\nhorizon_days = 14\n"
    );
    let job = Job { gates, ..Job::parse(&text, job).expect("a job") };
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    nightly::run(store, &job, date, &options).await.expect("a night")
}

/// Items of which a line is held, and of which one is not.
async fn held(store: &Store, run: &RunOutcome) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut held, mut free) = (BTreeSet::new(), BTreeSet::new());
    for line in lines_of(store, &run.run_id).await {
        if line.state == "held" { &mut held } else { &mut free }.insert(line.item);
    }
    (held, free)
}

async fn detail(store: &Store, run: &RunOutcome, code: &str) -> String {
    db::query_scalar("SELECT detail FROM finding WHERE run_id = $1 AND code = $2 LIMIT 1")
        .bind(&run.run_id)
        .bind(code)
        .fetch_optional(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("findings")
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_terms_hold_until_they_are_approved_or_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, retailer) = retailer(folder.path()).await;
    let date = retailer.date;
    let first = night(&store, "nightly", date, steady()).await;
    let (held_first, ordered) = held(&store, &first).await;
    assert!(held_first.is_empty() && ordered.len() > 3, "{ordered:?}");
    let known = count(&store, "SELECT count(*) FROM planned_terms").await;
    assert_eq!(known, retailer.offers.len() as i64, "every row of terms is kept once");

    let change = |offer: &mut Offer| {
        (offer.multiple, offer.moq) = (10 * offer.multiple, 10 * offer.moq);
    };
    let terms = async |name: &str, text: &str| {
        import(&store, folder.path(), "supply_terms", name, text).await;
    };
    terms("new", &retailer.terms(change)).await;
    for nights in 1..=3 {
        let run = night(&store, "nightly", date + nights, steady()).await;
        let (held, free) = held(&store, &run).await;
        assert!(free.is_empty() && !held.is_empty(), "night {nights}: {free:?}");
        assert!(detail(&store, &run, "gate_terms_changed").await.contains("multiple was"));
        // A night that runs again says the same.
        assert_eq!(
            night(&store, "nightly", date + nights, steady()).await.counts.lines_held,
            run.counts.lines_held
        );
    }
    let rows = count(&store, "SELECT count(*) FROM planned_terms").await;
    assert_eq!(rows, 2 * known, "a change is kept once, not every night");

    // A person approves one item's line: from then on its terms are known, and only they.
    let run_id = format!("nightly@{}", date + 3);
    let line = lines_of(&store, &run_id).await.into_iter().next().expect("a line");
    let approve = format!(
        "UPDATE reorder_line SET state = 'approved' WHERE run_id = '{run_id}' AND line_key = '{}'",
        line.key
    );
    execute(&store, &approve).await;
    let run = night(&store, "nightly", date + 4, steady()).await;
    let lines = lines_of(&store, &run.run_id).await;
    for other in &lines {
        let approved = (&other.item, &other.place) == (&line.item, &line.place);
        assert_eq!(other.state == "proposed", approved, "{}", other.key);
    }
    assert!(lines.iter().any(|other| other.state == "proposed"), "what was approved is free");

    // The old terms are back: known for all but the one that was approved since.
    terms("old", &retailer.terms(|_| {})).await;
    let run = night(&store, "nightly", date + 5, steady()).await;
    for other in lines_of(&store, &run.run_id).await {
        let approved = (&other.item, &other.place) == (&line.item, &line.place);
        assert_eq!(other.state == "held", approved, "{}", other.key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_plan_is_not_what_the_next_night_is_compared_with() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, retailer) = retailer(folder.path()).await;
    let date = retailer.date;
    let first = night(&store, "nightly", date, steady()).await;
    assert!(detail(&store, &first, "gate_no_previous").await.contains("first published run"));
    let strict = GateLimits { max_run_value_minor: 1, ..steady() };
    let stopped = night(&store, "nightly", date + 1, strict).await;
    assert_eq!(stopped.held_because, ["gate_run_value"]);
    let text = retailer.terms(|offer| offer.unit_cost_minor *= 3);
    import(&store, folder.path(), "supply_terms", "dear", &text).await;
    let strict = GateLimits { max_run_value_minor: 1, ..steady() };
    night(&store, "nightly", date + 1, strict).await;
    let after = night(&store, "nightly", date + 2, steady()).await;
    let (_, free) = held(&store, &after).await;
    assert!(free.is_empty(), "the held plan made no terms known: {free:?}");
    assert_eq!(detail(&store, &after, "gate_no_previous").await, "");

    // A run of an older version stored nothing to compare with, and that is said.
    execute(&store, "DELETE FROM run_fact").await;
    let after = night(&store, "nightly", date + 3, GateLimits::default()).await;
    let told = detail(&store, &after, "gate_no_previous").await;
    assert!(told.contains("did not store its inputs, open orders, stock, defaults"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_one_date_share_a_budget() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, retailer) = retailer(folder.path()).await;
    let alone = night(&store, "north", retailer.date, GateLimits::off()).await;
    let value = alone.counts.value_minor["CNY"];
    let budget = |minor| GateLimits { max_day_value_minor: minor, ..GateLimits::off() };
    let both = night(&store, "south", retailer.date, budget(2 * value)).await;
    assert_eq!(both.held_because, Vec::<String>::new());
    let over = night(&store, "south", retailer.date, budget(2 * value - 1)).await;
    assert_eq!(over.held_because, ["gate_day_value"]);
    let tomorrow = night(&store, "south", retailer.date + 1, budget(2 * value - 1)).await;
    assert_eq!(tomorrow.held_because, Vec::<String>::new(), "another date has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_do_not_balance_hold_whatever_the_limits() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, retailer) = retailer(folder.path()).await;
    let date = retailer.date;
    let orphan = format!(
        "INSERT INTO sales (item_id, location_id, date, qty) VALUES ('GHOST', 'S0', '{}', 5)",
        date - 1
    );
    execute(&store, &orphan).await;
    let run = night(&store, "nightly", date, GateLimits::off()).await;
    assert_eq!(run.held_because, ["gate_books"]);
    assert!(detail(&store, &run, "gate_books").await.contains("GHOST at S0"));
    execute(&store, "DELETE FROM sales WHERE item_id = 'GHOST'").await;
    let run = night(&store, "nightly", date, GateLimits::off()).await;
    assert_eq!(run.held_because, Vec::<String>::new());

    let mut connection = store.write().await.expect("the writer");
    for sql in [
        "PRAGMA ignore_check_constraints = ON",
        "UPDATE import_batch SET rows_read = rows_read + 7 WHERE kind = 'sales'",
        "PRAGMA ignore_check_constraints = OFF",
    ] {
        db::query(sql).execute(&mut connection).await.expect(sql);
    }
    connection.commit().await.expect("committed");
    let run = night(&store, "nightly", date, GateLimits::off()).await;
    assert_eq!(run.held_because, ["gate_books"]);
    assert!(detail(&store, &run, "gate_books").await.contains("of sales read"));
}

/// The newest day of sales came with a quarter of its rows; items are gone from the master.
#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_shrink_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (store, retailer) = retailer(folder.path()).await;
    let date = retailer.date;
    let limits =
        GateLimits { max_input_shrink: 0.2, max_sales_day_shrink: 0.5, ..GateLimits::off() };
    let run = night(&store, "nightly", date, limits.clone()).await;
    assert_eq!(run.held_because, Vec::<String>::new());
    let cut = format!("DELETE FROM sales WHERE date = '{}' AND item_id > 'I001'", date - 1);
    execute(&store, &cut).await;
    let run = night(&store, "nightly", date, limits.clone()).await;
    assert_eq!(run.held_because, ["gate_input_shrunk"], "a re-run of the date sees it too");
    execute(&store, "DELETE FROM supply_terms WHERE item_id > 'I003'").await;
    let run = night(&store, "nightly", date + 1, limits).await;
    let told: BTreeSet<String> = db::query_scalar::<String>(
        "SELECT detail FROM finding WHERE run_id = $1 AND code = 'gate_input_shrunk'",
    )
    .bind(&run.run_id)
    .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
    .await
    .expect("findings")
    .into_iter()
    .collect();
    assert!(told.iter().any(|detail| detail.starts_with("supply_terms: ")), "{told:?}");
    assert!(told.iter().any(|detail| detail.starts_with("the last day of sales")), "{told:?}");
}
