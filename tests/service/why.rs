//! Saying why on a small retailer: what forecasts are made of, what was learned, and what would be
//! if something were different.

mod support;

use std::process::{Command, Output};

use granary::config::{Exit, Refused};
use granary::jobs::demo::DemoConfig;
use granary::jobs::nightly::what_if::{Asked, Change, PriceChange, WhatIf, what_if};
use granary::jobs::nightly::{self, RunOptions};
use granary::store::db;
use granary::store::read::runs::{self, Run, RunChoice};
use granary::store::read::sku::{self, Sku};
use granary_models::calendar::Day;
use serde_json::Value;
use support::{Shop, jobs_folder, nightly_job};

fn small() -> DemoConfig {
    DemoConfig { items: 60, days: 400, ..DemoConfig::default() }
}

async fn night_of(shop: &Shop, date: Day) {
    let options = RunOptions::default();
    let mut job = nightly_job();
    // The only count of stock is of the last day.
    job.freshness.stock_max_age_days = 40;
    nightly::run(&shop.store, &job, date, &options).await.expect("a night");
}

async fn run_of(shop: &Shop, date: Day) -> Run {
    let mut db = shop.store.snapshot().await.expect("a reader");
    let choice = RunChoice { date: Some(date), ..RunChoice::default() };
    runs::find(&mut db, &choice).await.expect("readable").expect("a run")
}

/// Series whose model has this in its name.
async fn keys(shop: &Shop, run: &Run, model: &str) -> Vec<(String, String)> {
    db::query_as(
        "SELECT item_id, location_id FROM forecast_series WHERE run_id = ? \
         AND instr(model, ?) > 0 ORDER BY item_id, location_id",
    )
    .bind(&run.run_id)
    .bind(model)
    .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
    .await
    .expect("series")
}

async fn load(shop: &Shop, run: &Run, item_id: &str, location_id: &str) -> Sku {
    let mut db = shop.store.snapshot().await.expect("a reader");
    let sku = sku::load(&mut db, run, item_id, location_id).await.expect("readable");
    sku.expect("the series is published")
}

fn granary(shop: &Shop, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_granary"))
        .arg("--db")
        .arg(shop.db())
        .arg("--jobs")
        .arg(jobs_folder())
        .args(args)
        .output()
        .expect("the program starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The command is refused as wrong usage, and says so in these words.
fn check_refused(shop: &Shop, args: &[&str], words: &str) {
    let output = granary(shop, args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains(words), "{args:?}: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_add_up_and_effects_have_words() {
    let shop = Shop::open(small()).await;
    let last = shop.config.business_date;
    for date in [last - 1, last] {
        night_of(&shop, date).await;
    }
    let run = run_of(&shop, last).await;
    let mut moved = [0; 7];
    let mut eventful = None;
    for (item, location) in &keys(&shop, &run, "").await {
        let sku = load(&shop, &run, item, location).await;
        let parts = sku.parts.as_ref().expect("every night stores what means are made of");
        assert_eq!(parts.days.len(), sku.forecast.len());
        let largest = sku.forecast.iter().map(|day| day.mean).fold(0.0, f64::max);
        for (day, row) in parts.days.iter().zip(&sku.forecast) {
            let told = format!("{item} {location} {}: {day:?}", row.date);
            assert_eq!((&day.date, day.parts.mean), (&row.date, row.mean), "{told}");
            let values = day.parts.values();
            let sum: f64 = values.iter().sum();
            assert!((sum - row.mean).abs() <= 1e-9 * row.mean.max(1.0), "{told}");
            // Rounding, to four digits of the largest mean, is the level's.
            assert!(day.parts.level >= -0.005 * largest, "{told}");
            moved.iter_mut().zip(values).for_each(|(n, units)| *n += usize::from(units != 0.0));
        }
        let total: f64 = parts.total.values().iter().sum();
        assert!((total - parts.total.mean).abs() <= 1e-9 * total.max(1.0));
        let events: f64 = parts.events.iter().map(|event| event.units).sum();
        assert!((events - parts.total.events).abs() <= 1e-6 * total.max(1.0));
        if events.abs() > 0.05 * total {
            eventful = Some((item.clone(), location.clone()));
        }
    }
    println!("days with a level, season, events, promotion, price, weather, remainder: {moved:?}");
    assert!([0, 1, 2, 3, 5].into_iter().all(|part| moved[part] > 0), "{moved:?}");

    let (item, location) = eventful.expect("Double-11 comes within the horizon");
    let told = json(&granary(&shop, &["explain", &item, &location, "--json"]));
    let first = &told["parts"]["days"][0];
    for name in ["date", "mean", "level", "season", "events", "promotion", "price", "weather"] {
        assert!(!first[name].is_null(), "{name}: {first}");
    }
    assert!(told["parts"]["events"][0]["name"].is_string());
    let page = granary(&shop, &["explain", &item, &location]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains("What the mean is made of"), "{page}");
    println!("{page}");
    check_drivers(&shop, last).await;
}

/// The same effects on the night that followed as on the refit, in words, files and filters.
async fn check_drivers(shop: &Shop, last: Day) {
    let drivers = |args: &[&str]| {
        let mut all = vec!["drivers", "--json"];
        all.extend(args);
        json(&granary(shop, &all))["effects"].as_array().expect("effects").clone()
    };
    let all = drivers(&[]);
    assert_eq!(all, drivers(&["--date", &(last - 1).to_string()]));
    assert!(all.len() > 50, "{}", all.len());
    for answer in &all {
        let factor = answer["factor"].as_f64().expect("a factor");
        let ends = [answer["low"].as_f64(), answer["high"].as_f64()];
        let inside = ends[0].is_none_or(|low| low <= factor + 1e-12)
            && ends[1].is_none_or(|high| high >= factor - 1e-12);
        assert!(factor > 0.0 && inside, "{answer}");
    }
    let category = all[0]["category"].as_str().expect("a category");
    let of_one = drivers(&["--category", category, "--driver", "promotion"]);
    assert!(of_one.iter().any(|answer| answer["what"] == "20% off"), "{of_one:?}");
    assert!(of_one.iter().all(|answer| answer["category"] == category));
    check_refused(shop, &["drivers", "--driver", "promotoin"], "did you mean promotion?");
    check_refused(shop, &["drivers", "--category", "no such thing"], "nothing was learned of");
    let text = granary(shop, &["drivers", "--category", category]);
    println!("{}", String::from_utf8_lossy(&text.stdout));

    let out = shop.folder.path().join("drivers.csv");
    let file = out.to_str().expect("a path");
    let written = json(&granary(
        shop,
        &["export", "--what", "drivers", "--format", "csv", "--out", file, "--json"],
    ));
    assert_eq!(written["rows"].as_u64(), Some(all.len() as u64));
    let csv = std::fs::read_to_string(&out).expect("a file");
    assert!(csv.starts_with("job,business_date,category,driver,kind,what,factor,low,high,note"));
    assert!(!csv.contains("NaN"), "{csv}");

    let before: i64 = db::query_scalar("SELECT count(*) FROM effect")
        .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    night_of(shop, last).await;
    let after: i64 = db::query_scalar("SELECT count(*) FROM effect")
        .fetch_one(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    assert_eq!(before, after, "a re-run replaces, never doubles");
}

async fn ask(shop: &Shop, run: &Run, key: &(String, String), change: Change) -> WhatIf {
    let asked = Asked { item_id: &key.0, location_id: &key.1, change };
    let mut job = nightly_job();
    job.freshness.stock_max_age_days = 40;
    what_if(&shop.store, &job, run, asked, 0).await.expect("an answer")
}

/// Before is what was published, to the last bit.
async fn check_before(shop: &Shop, run: &Run, key: &(String, String), answer: &WhatIf) {
    let published = load(shop, run, &key.0, &key.1).await.forecast;
    assert_eq!(answer.days.len(), published.len());
    for (day, row) in answer.days.iter().zip(&published) {
        let nine =
            [row.q01, row.q05, row.q10, row.q25, row.q50, row.q75, row.q90, row.q95, row.q99];
        let got = (day.before.mean.to_bits(), day.before.quantiles.map(f64::to_bits));
        let want = (row.mean.to_bits(), nine.map(f64::to_bits));
        assert_eq!(got, want, "{key:?} {} of {}", row.date, run.run_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_starts_from_what_was_published_and_writes_nothing() {
    let shop = Shop::open(DemoConfig { days: 240, ..small() }).await;
    let last = shop.config.business_date;
    // A refit, and a night that follows it.
    for date in [last - 1, last] {
        night_of(&shop, date).await;
    }
    let plan = support::dump(&shop.store).await;
    for date in [last - 1, last] {
        let run = run_of(&shop, date).await;
        for model in ["pooled", "trees", "blend_weighted", "t"] {
            let keys = keys(&shop, &run, model).await;
            let Some(key) = keys.get(keys.len() / 2) else { continue };
            let change = Change { promo_depth: Some(0.4), ..Change::default() };
            let answer = ask(&shop, &run, key, change).await;
            check_before(&shop, &run, key, &answer).await;
            assert!(answer.protection.before.q05 <= answer.protection.before.q95);
            let moved = answer.mean.after > 1.05 * answer.mean.before;
            assert!(moved || model != "pooled", "forty percent off {key:?} brings something");
        }
    }
    check_windows(&shop, last).await;
    support::assert_same_plan(&plan, &support::dump(&shop.store).await, "after the questions");
}

/// A change acts on its days, and both ways.
async fn check_windows(shop: &Shop, last: Day) {
    let run = run_of(shop, last).await;
    let keys = keys(shop, &run, "pooled").await;
    for key in [&keys[0], &keys[keys.len() - 1]] {
        let price = Some(PriceChange::By(0.2));
        let change =
            Change { price, from: Some(last + 3), to: Some(last + 5), ..Change::default() };
        let answer = ask(shop, &run, key, change).await;
        assert_eq!(answer.days[0].before, answer.days[0].after, "{key:?}");
        assert_eq!(answer.days[9].before, answer.days[9].after, "{key:?}");
        assert_ne!(answer.days[4].before, answer.days[4].after, "{key:?}");
    }
    let (item, location) = (&keys[0].0, &keys[0].1);
    let told = json(&granary(
        shop,
        &["what-if", item, location, "--temperature", "-5", "--rain", "20", "--json"],
    ));
    assert_eq!(told["days"].as_array().map(Vec::len), Some(28), "{told}");
    for name in ["mean", "protection", "orders"] {
        assert!(!told[name]["before"].is_null() && !told[name]["after"].is_null(), "{name}");
    }
    let text = granary(shop, &["what-if", item, location, "--price-change", "-10%"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("Order tonight"), "{text}");
    println!("{text}");
    let late = (last + 400).to_string();
    for (args, words) in [
        (&["--promo", "150%"][..], "is not within 0 and 0.95"),
        (&["--price-change", "-95%"], "the models know nothing beyond"),
        (&["--price", "twelve"], "is not a price in"),
        (&["--rain", "-3"], "mm of rain"),
        (&["--promo", "0.2", "--to", &late], "is not within the forecast, which goes from"),
        (&[], "what if what?"),
    ] {
        let mut all = vec!["what-if", item, location];
        all.extend(args);
        check_refused(shop, &all, words);
    }
    check_refused(shop, &["what-if", "no-such-item", location, "--promo", "0.2"], "no item");
    let asked = Asked { item_id: item, location_id: "nowhere", change: Change::default() };
    let error = what_if(&shop.store, &nightly_job(), &run, asked, 0).await.expect_err("refused");
    assert_eq!(error.downcast_ref::<Refused>().expect("a refusal").exit, Exit::Usage);
}
