//! A night on 2,000 real series (every 25th of FreshRetailNet-50K), held against the week after it.

#[path = "support/database.rs"]
mod database;
#[path = "support/postgres.rs"]
mod postgres;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use granary::config::{Job, Table};
use granary::jobs::import::{ImportOptions, import_files};
use granary::jobs::nightly::{self, RunOptions};
use granary::sources::Map;
use granary::store::{Store, db};
use granary_models::calendar::Day;
use polars::prelude::{BooleanChunked, NewChunkedArray, ParquetReader, ParquetWriter, SerReader};

const DAYS_PER_SERIES: usize = 76;
const EVERY: usize = 25;
/// Seven days before the data ends: they are the judge.
const BUSINESS_DATE: &str = "2024-06-05";

/// The file lists its series one after the other, each with all its days.
fn write_slice(from: &Path, to: &Path) {
    let file = File::open(from).expect("the real data");
    let whole = ParquetReader::new(file).finish().expect("a Parquet file");
    let kept = (0..whole.height()).map(|row| (row / DAYS_PER_SERIES).is_multiple_of(EVERY));
    let mask = BooleanChunked::from_iter_values("kept".into(), kept);
    let mut slice = whole.filter(&mask).expect("a mask as long as the file");
    let file = File::create(to).expect("a file to write");
    ParquetWriter::new(file).finish(&mut slice).expect("a Parquet file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_on_real_fresh_goods_forecasts_the_week_after_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = root.join("../shared/data/fresh_retail/daily.parquet");
    if !real.exists() {
        println!("SKIPPED: there is no ../shared/data/fresh_retail beside the repository");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let slice = folder.path().join("slice.parquet");
    write_slice(&real, &slice);
    let address = database::address(folder.path()).await;
    let store = database::open(&address).await;
    let map = Map::load(&root.join("data/maps/fresh_retail.toml")).expect("the shipped map");
    let sales = Table::named("sales").expect("an input table");
    let options = ImportOptions::default();
    let report =
        import_files(&store, sales, &[slice], &map, &options, |_| {}).await.expect("an import");
    assert_eq!(report.refused, None);
    let books = report.table("sales").expect("sales were loaded").total;
    assert_eq!((books.read, books.loaded, books.rejected), (152_000, 152_000, 0));

    let job = Job::find(&root.join("jobs"), "fresh").expect("the shipped job");
    let date: Day = BUSINESS_DATE.parse().expect("a date");
    let options = RunOptions::default();
    let night = nightly::run(&store, &job, date, &options).await.expect("a night");
    assert_eq!(night.counts.series, 2_000);
    assert!(night.counts.lines > 1_500, "{:?}", night.counts);
    check_defaults(&store).await;
    check_against_the_week(&store, date).await;
}

/// There is no master data and no stock: each of the 2,000 series rests on defaults, and says so.
async fn check_defaults(store: &Store) {
    let rows = db::query("SELECT detail, occurrences FROM finding WHERE code = 'default_used'")
        .rows(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("findings");
    let used: HashMap<String, i64> = rows
        .iter()
        .map(|row| {
            (row.try_get("detail").expect("text"), row.try_get("occurrences").expect("a number"))
        })
        .collect();
    for what in ["stock", "supply_terms"] {
        let detail = format!("no {what}: the job's default was used");
        assert_eq!(used.get(&detail), Some(&2_000), "{used:?}");
    }
}

async fn check_against_the_week(store: &Store, date: Day) {
    let rows = db::query(
        "SELECT f.mean, f.q05, f.q95, s.qty FROM v_forecast_current f \
         JOIN sales s USING (item_id, location_id, date) \
         WHERE f.date < $1 AND s.available_fraction = 1",
    )
    .bind((date + 7).to_string())
    .rows(&mut store.snapshot().await.expect("a snapshot"))
    .await
    .expect("forecasts beside what came");
    let (mut error, mut bias, mut demand, mut inside) = (0.0, 0.0, 0.0, 0usize);
    for row in &rows {
        let (mean, actual) = (
            row.try_get::<f64>("mean").expect("a column"),
            row.try_get::<i64>("qty").expect("a column") as f64,
        );
        error += (mean - actual).abs();
        bias += mean - actual;
        demand += actual;
        let within = row.try_get::<f64>("q05").expect("a column") <= actual
            && actual <= row.try_get::<f64>("q95").expect("a column");
        inside += usize::from(within);
    }
    let coverage = inside as f64 / rows.len() as f64;
    println!(
        "{} days: WAPE {:.4}, bias {:+.4}, 90% covers {coverage:.4}",
        rows.len(),
        error / demand,
        bias / demand
    );
    assert!(rows.len() > 7_000, "{}", rows.len());
    // What the open peers reach on such a slice is .344 (shared/reference/PEERS.md).
    assert!(error / demand < 0.344, "WAPE {:.4}", error / demand);
    assert!((bias / demand).abs() < 0.04, "bias {:+.4}", bias / demand);
    assert!((0.86..=0.94).contains(&coverage), "90% intervals cover {coverage:.4}");
}
