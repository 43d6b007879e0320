//! The shipped maps load the real sets unchanged. The sets lie beside the repository and are never
//! copied into it; without them the tests say that they were skipped.

use std::path::{Path, PathBuf};

use granary::config::{Books, Table};
use granary::jobs::import::{ImportOptions, Report, import_files};
use granary::sources::Map;
use granary::store::{Store, db};

fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

fn map(name: &str) -> Map {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/maps");
    Map::load(&folder.join(name)).expect("a shipped map is readable")
}

async fn load(store: &Store, kind: &str, map_name: &str, file: &Path) -> Report {
    let kind = Table::named(kind).expect(kind);
    let options = ImportOptions::default();
    import_files(store, kind, &[file.to_owned()], &map(map_name), &options, |_| ())
        .await
        .expect(map_name)
}

/// `(table, read, loaded, duplicate, rejected, rows written)`
type Want = (&'static str, u64, u64, u64, u64, u64);

async fn check(kind: &str, map_name: &str, file: &str, wanted: &[Want]) -> Option<Store> {
    let file = shared(file)?;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.keep().join("granary.db")).await.expect("a database");
    let report = load(&store, kind, map_name, &file).await;
    assert_eq!(report.refused, None, "{report:#?}");
    for &(table, read, loaded, duplicate, rejected, written) in wanted {
        let books = report.table(table).expect(table).total;
        let want = Books { read, loaded, duplicate, rejected, replaced: 0, written };
        assert_eq!(books, want, "{table}: {:?}", report.table(table));
        let rows: i64 =
            db::query_scalar(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))
                .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
                .await
                .expect("a count");
        assert_eq!(rows as u64, written, "{table}");
    }
    Some(store)
}

async fn number(store: &Store, sql: &'static str) -> i64 {
    db::query_scalar(sql)
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql)
}

#[tokio::test]
async fn online_retail_lines_become_daily_sales() {
    // Excluded, 0.7%: postage, fees, vouchers, corrections, lines without a price.
    let wanted = [
        ("sales", 1_022_287, 1_015_071, 0, 7_216, 580_688),
        ("item", 1_022_287, 4_724, 1_010_347, 7_216, 4_724),
        ("location", 1_022_287, 43, 1_015_028, 7_216, 43),
    ];
    let Some(store) =
        check("sales", "online_retail.toml", "online_retail/lines.parquet", &wanted).await
    else {
        return;
    };
    assert_eq!(number(&store, "SELECT SUM(qty) FROM sales").await, 11_221_940);
    // 85123a and 85123A are one item.
    assert_eq!(number(&store, "SELECT COUNT(*) FROM item WHERE item_id = '85123a'").await, 0);
}

#[tokio::test]
async fn retail_rocket_feeds_the_event_log_and_daily_behaviour() {
    let wanted =
        [("event_log", 97_381, 97_381, 0, 0, 97_381), ("behaviour", 97_381, 97_381, 0, 0, 70_929)];
    let file = "retail_rocket/events.parquet";
    let Some(store) = check("event_log", "retail_rocket.toml", file, &wanted).await else { return };
    for (column, count) in [("views", 75_374), ("carts", 12_456), ("orders", 9_551)] {
        let sql = format!("SELECT SUM({column}) FROM behaviour");
        let sum: i64 = db::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
            .await
            .expect(column);
        assert_eq!(sum, count, "{column}");
    }
    // No shopper's own number is stored.
    let sql = "SELECT COUNT(*) FROM event_log WHERE length(shopper_hash) <> 32";
    assert_eq!(number(&store, sql).await, 0);
}

#[tokio::test]
async fn tmall_days_are_those_of_the_shop() {
    let wanted = [
        ("event_log", 359_103, 359_103, 0, 0, 359_103),
        ("behaviour", 359_103, 359_103, 0, 0, 209_936),
    ];
    let file = "tmall_double11/events.parquet";
    let Some(store) = check("event_log", "tmall_double11.toml", file, &wanted).await else {
        return;
    };
    let sql = "SELECT COUNT(*) FROM behaviour WHERE date = '2015-11-11'";
    assert!(number(&store, sql).await > 1_000, "Double-11 itself has events");
}

#[tokio::test]
async fn supplier_deliveries_become_orders_that_teach_lead_times() {
    let wanted = [
        ("purchase_order", 10_324, 10_324, 0, 0, 10_324),
        ("item", 10_324, 184, 10_140, 0, 184),
        ("location", 10_324, 43, 10_281, 0, 43),
        ("supplier", 10_324, 73, 10_251, 0, 73),
    ];
    let file = "supplier_deliveries/SCMS_Delivery_History_Dataset.csv";
    let Some(store) = check("purchase_order", "supplier_deliveries.toml", file, &wanted).await
    else {
        return;
    };
    let dated = "SELECT COUNT(*) FROM purchase_order WHERE ordered_on IS NOT NULL";
    assert_eq!(number(&store, dated).await, 4_592);
    // Month first: read day first, 428 orders would have been sent after they were due.
    let late = "SELECT COUNT(*) FROM purchase_order WHERE expected_on < ordered_on";
    assert_eq!(number(&store, late).await, 4);
    let report = load(
        &store,
        "purchase_order",
        "supplier_deliveries.toml",
        &shared(file).expect("was there a moment ago"),
    )
    .await;
    let books = report.table("purchase_order").expect("purchase_order").total;
    assert_eq!((books.loaded, books.duplicate, books.written), (0, 10_324, 0));
}

#[tokio::test]
async fn fresh_retail_feeds_sales_items_stores_and_weather() {
    let wanted = [
        ("sales", 3_800_000, 3_800_000, 0, 0, 3_800_000),
        ("item", 3_800_000, 865, 3_799_135, 0, 865),
        ("location", 3_800_000, 898, 3_799_102, 0, 898),
        ("weather", 3_800_000, 68_248, 3_731_752, 0, 68_248),
    ];
    let file = "fresh_retail/daily.parquet";
    let Some(store) = check("sales", "fresh_retail.toml", file, &wanted).await else { return };
    let row: (i64, i64, f64, f64) = db::query_as(
        "SELECT qty, price_minor, promo_depth, available_fraction FROM sales \
         WHERE item_id = '4' AND location_id = '0' AND date = '2024-03-28'",
    )
    .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
    .await
    .expect("the first row of the file");
    assert_eq!(row, (500, 882, 0.118, 0.1875));
    // Counted in the file: activity_flag is 1 on 37.23% of the days, on 36.34% with a discount.
    let promoted: i64 = db::query_scalar("SELECT count(*) FROM sales WHERE promo_depth > 0")
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count");
    assert_eq!(promoted, 1_380_890);
}
