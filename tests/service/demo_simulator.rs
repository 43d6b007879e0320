//! The demo's retailer: the same bytes every time, books that balance, every ingredient, and a
//! truth that agrees with what was sold.

mod demo_ingredients;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use granary::jobs::demo::{
    DemoConfig, DemoConfigError, DemoManifest, HEADERS, HORIZON_DAYS, Truth, write_demo,
};
use granary_models::calendar::Day;

const SMALL: DemoConfig = DemoConfig { items: 60, days: 400, seed: 1, business_date: Day(20381) };

struct Demo {
    dir: PathBuf,
    manifest: DemoManifest,
    tables: HashMap<&'static str, Table>,
}

#[derive(Default)]
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(paths: &[&Path]) -> Table {
        let mut table = Table::default();
        for path in paths {
            let mut reader = csv::Reader::from_path(path).expect("a file of the demo");
            let header = reader.headers().expect("a header");
            table.header = header.iter().map(str::to_owned).collect();
            for row in reader.records() {
                let row = row.expect("as many fields as the header");
                table.rows.push(row.iter().map(str::to_owned).collect());
            }
        }
        table
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).expect(name)
    }

    /// The rows as tuples of the named columns.
    fn select<const N: usize>(&self, names: [&str; N]) -> Vec<[&str; N]> {
        let columns = names.map(|name| self.column(name));
        self.rows.iter().map(|row| columns.map(|column| row[column].as_str())).collect()
    }
}

/// One small demo for all tests that only read.
fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory").keep();
        let manifest = write_demo(&SMALL, &dir, |_| ()).expect("a demo");
        let mut tables = HashMap::new();
        for (kind, _) in &HEADERS[..HEADERS.len() - 1] {
            let files = manifest.files.iter().filter(|(table, _)| table == kind);
            let paths: Vec<&Path> = files.map(|(_, path)| path.as_path()).collect();
            assert!(!paths.is_empty(), "{kind} has no file");
            tables.insert(*kind, Table::read(&paths));
        }
        Demo { dir, manifest, tables }
    })
}

impl Demo {
    fn table(&self, kind: &str) -> &Table {
        &self.tables[kind]
    }

    fn truth_table(&self, name: &str) -> Table {
        Table::read(&[&self.dir.join("truth").join(name)])
    }
}

/// A quantity of a file in smallest units: a point means that its item is weighed, to the gram.
fn units(text: &str) -> f64 {
    if text.contains('.') { (number(text) * 1000.0).round() } else { number(text) }
}

fn number(text: &str) -> f64 {
    text.parse().expect("a number")
}

fn digest(dir: &Path) -> BTreeMap<PathBuf, blake3::Hash> {
    let mut digests = BTreeMap::new();
    for folder in ["in", "truth"] {
        for entry in std::fs::read_dir(dir.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            let name = Path::new(folder).join(path.file_name().expect("a name"));
            digests.insert(name, blake3::hash(&bytes));
        }
    }
    digests
}

#[test]
fn the_same_configuration_gives_the_same_bytes_on_any_number_of_threads() {
    let made = |config: &DemoConfig, threads: usize| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| write_demo(config, dir.path(), |_| ())).expect("a demo");
        digest(dir.path())
    };
    let config = DemoConfig { days: 150, items: 130, ..SMALL };
    let one = made(&config, 1);
    assert_eq!(one, made(&config, 2));
    assert_eq!(one, made(&config, 4));
    let other = made(&DemoConfig { seed: 2, ..config }, 2);
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for file in ["in/sales-2025-09.csv", "in/weather.csv", "in/event_log.csv", "truth/demand.csv"] {
        assert_ne!(one[Path::new(file)], other[Path::new(file)], "{file} ignores the seed");
    }
}

#[test]
fn a_configuration_out_of_range_is_refused() {
    let check = |config: DemoConfig, want: Result<(), DemoConfigError>| {
        assert_eq!(config.check(), want, "{config:?}");
    };
    check(DemoConfig::default(), Ok(()));
    check(SMALL, Ok(()));
    check(DemoConfig { items: 59, ..SMALL }, Err(DemoConfigError::Items(59)));
    check(DemoConfig { days: 119, ..SMALL }, Err(DemoConfigError::Days(119)));
    let early = Day::from_ymd(2018, 6, 1).expect("a date");
    let start = early - 400;
    let want = Err(DemoConfigError::Calendar(start, early));
    check(DemoConfig { business_date: early, ..SMALL }, want);
    let late = Day::from_ymd(2027, 9, 1).expect("a date");
    let want = Err(DemoConfigError::Calendar(late - 400, late));
    check(DemoConfig { business_date: late, ..SMALL }, want);
}

/// Columns and primary key of every table of the migration.
fn schema() -> HashMap<String, (Vec<String>, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/migrations/0001_inputs.sql");
    let sql = std::fs::read_to_string(path).expect("the migration");
    let mut tables = HashMap::new();
    for statement in sql.split("CREATE TABLE ").skip(1) {
        let (name, body) = statement.split_once(" (").expect("a table");
        let body = body.split_once("\n)").expect("the end of the table").0;
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        for line in body.lines().filter(|line| line.starts_with("    ")) {
            let word = line.split_whitespace().next().unwrap_or_default();
            if let Some(listed) = line.trim().strip_prefix("PRIMARY KEY (") {
                let listed = listed.split(')').next().unwrap_or_default();
                key = listed.split(", ").map(str::to_owned).collect();
            } else if word.starts_with(|c: char| c.is_ascii_lowercase()) {
                columns.push(word.to_owned());
                if line.contains("PRIMARY KEY") {
                    key = vec![word.to_owned()];
                }
            }
        }
        tables.insert(name.to_owned(), (columns, key));
    }
    tables
}

#[test]
fn files_have_the_columns_and_keys_of_the_input_tables() {
    let schema = schema();
    let items: BTreeSet<&str> =
        demo().table("item").select(["item_id"]).into_iter().map(|[id]| id).collect();
    assert_eq!(items.len(), SMALL.items);
    for (kind, _) in &HEADERS[..HEADERS.len() - 1] {
        let table = demo().table(kind);
        let (columns, key) = &schema[*kind];
        assert_eq!(&table.header, columns, "{kind}");
        let key: Vec<usize> = key.iter().map(|column| table.column(column)).collect();
        let mut seen = BTreeSet::new();
        for row in &table.rows {
            let key: Vec<&str> = key.iter().map(|&column| row[column].as_str()).collect();
            assert!(seen.insert(key.clone()), "{kind}: {key:?} twice");
        }
        if let Some(column) = columns.iter().position(|column| column == "item_id") {
            for row in &table.rows {
                let known = items.contains(row[column].as_str());
                let whole_category = *kind == "promotion" && row[column].is_empty();
                assert!(known || whole_category, "{kind}: unknown item {}", row[column]);
            }
        }
    }
    assert_eq!(demo().manifest.sales_rows as usize, demo().table("sales").rows.len());
}

#[test]
fn the_stock_books_balance_with_the_files() {
    let demo = demo();
    let mut sold: HashMap<(&str, &str), f64> = HashMap::new();
    for [item, location, qty] in demo.table("sales").select(["item_id", "location_id", "qty"]) {
        *sold.entry((item, location)).or_default() += units(qty);
    }
    let mut counted: HashMap<(&str, &str), f64> = HashMap::new();
    let last = (SMALL.business_date - 1).to_string();
    let stock = demo.table("stock").select([
        "item_id",
        "location_id",
        "date",
        "on_hand",
        "reserved",
        "backordered",
    ]);
    for [item, location, date, on_hand, reserved, backordered] in stock {
        if date == last {
            let free = units(on_hand) - units(reserved) - units(backordered);
            counted.insert((item, location), free);
        }
    }
    let mut purchased: HashMap<(&str, &str), f64> = HashMap::new();
    let orders = demo.table("purchase_order");
    for [item, location, supplier, qty] in
        orders.select(["item_id", "location_id", "supplier_id", "received_qty"])
    {
        if !supplier.is_empty() {
            *purchased.entry((item, location)).or_default() += units(qty);
        }
    }
    let ledger = demo.truth_table("ledger.csv");
    assert!(ledger.rows.len() > 200, "{} ledgers", ledger.rows.len());
    let columns = ["opening", "received", "sold", "shipped", "wasted", "closing"];
    let keys = ledger.select(["item_id", "location_id"]);
    let mut wasted_something = false;
    for ([item, location], amounts) in keys.into_iter().zip(ledger.select(columns)) {
        let [opening, received, sold_in_ledger, shipped, wasted, closing] = amounts.map(number);
        let key = (item, location);
        assert_eq!(
            opening + received - sold_in_ledger - shipped - wasted,
            closing,
            "{key:?} does not balance"
        );
        assert_eq!(sold.get(&key).copied().unwrap_or(0.0), sold_in_ledger, "{key:?} sold");
        assert_eq!(counted.get(&key).copied().unwrap_or(0.0), closing, "{key:?} counted");
        // With at most 400 days of history no purchase has left the upstream's files yet.
        if location.starts_with("DC-") {
            assert_eq!(purchased.get(&key).copied().unwrap_or(0.0), received, "{key:?} bought");
        }
        wasted_something |= wasted > 0.0;
    }
    assert!(wasted_something, "nothing perished");
}

#[test]
fn lots_make_up_the_stock_of_perishables_and_none_is_past_its_day() {
    let demo = demo();
    let mut stock: HashMap<(&str, &str, &str), f64> = HashMap::new();
    for [item, location, date, on_hand] in
        demo.table("stock").select(["item_id", "location_id", "date", "on_hand"])
    {
        stock.insert((item, location, date), units(on_hand));
    }
    let mut lots: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
    let columns = ["item_id", "location_id", "date", "qty", "expires_on"];
    for [item, location, date, qty, expires_on] in demo.table("stock_lot").select(columns) {
        assert!(expires_on > date, "{item} at {location} expired on {expires_on}");
        *lots.entry((item, location, date)).or_default() += units(qty);
    }
    assert!(!lots.is_empty());
    for (key, qty) in lots {
        assert_eq!(stock[&key], qty, "{key:?}");
    }
}

#[test]
fn stock_outs_hide_demand_on_a_sane_share_of_days() {
    for (items, days, seed) in [(60, 400, 1), (120, 300, 2), (90, 365, 3)] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = DemoConfig { items, days, seed, ..SMALL };
        let manifest = write_demo(&config, dir.path(), |_| ()).expect("a demo");
        let share = manifest.censored_days as f64 / manifest.series_days as f64;
        assert!((0.02..0.08).contains(&share), "{config:?}: {share:.4} of the days are censored");
        assert!(manifest.series as usize >= items, "{config:?}: {} series", manifest.series);
    }
}

#[test]
fn the_truth_agrees_with_the_sales() {
    let demo = demo();
    let truth = Truth::read(&demo.dir).expect("the truth");
    let mut partial: BTreeMap<(&str, &str, Day), f64> = BTreeMap::new();
    let columns = ["item_id", "location_id", "date", "qty", "available_fraction"];
    for [item, location, date, qty, available] in demo.table("sales").select(columns) {
        if number(available) < 1.0 {
            let date = date.parse().expect("a date");
            partial.insert((item, location, date), units(qty));
        }
    }
    let mut lost = 0.0;
    let mut censored_days = 0;
    for ((item, location), series) in &truth.series {
        for day in &series.censored {
            let key = (item.as_str(), location.as_str(), day.date);
            let sold = *partial.get(&key).expect("a censored day has its row in the sales");
            assert!(sold <= day.demand as f64, "{key:?}: sold {sold} of {}", day.demand);
            lost += day.demand as f64 - sold;
            censored_days += 1;
        }
        let horizon = SMALL.business_date + HORIZON_DAYS as i32;
        let last = series.future.last().map(|day| day.date + 1);
        assert_eq!(last, Some(horizon), "{item} at {location}");
        let first = series.future[0].date;
        assert!(first >= SMALL.business_date, "{item} at {location}");
        assert_eq!(series.future.len(), (horizon - first) as usize, "{item} at {location}");
    }
    assert_eq!(censored_days, partial.len(), "days without full stock and days of the truth");
    assert!(lost > 0.0, "no demand was hidden");
    let future = truth.series.values().flat_map(|series| &series.future);
    let (mean, drawn) =
        future.fold((0.0, 0.0), |(m, d), day| (m + day.mean, d + day.demand as f64));
    assert!((drawn / mean - 1.0).abs() < 0.05, "the future: mean {mean}, drawn {drawn}");
}

#[test]
fn what_was_sold_on_days_of_full_stock_is_the_true_demand() {
    // Days with full stock are a little poorer in demand than all days: a shelf that was emptied
    // had a good day. Hence one-sided, and over all series and not each.
    let series = demo().truth_table("series.csv");
    let columns = ["sold_available", "mean_available", "variance_available"];
    let (mut scores, mut sold_sum, mut mean_sum) = (Vec::new(), 0.0, 0.0);
    for row in series.select(columns) {
        let [sold, mean, variance] = row.map(number);
        if variance > 20.0 {
            scores.push((sold - mean) / variance.sqrt());
            sold_sum += sold;
            mean_sum += mean;
        }
    }
    let count = scores.len() as f64;
    assert!(count > 100.0, "{count} series");
    let bias = scores.iter().sum::<f64>() / count;
    let spread = (scores.iter().map(|z| (z - bias).powi(2)).sum::<f64>() / count).sqrt();
    assert!((-1.2..0.3).contains(&bias), "mean score {bias}");
    assert!((0.7..1.6).contains(&spread), "spread of scores {spread}");
    assert!((0.96..1.01).contains(&(sold_sum / mean_sum)), "{sold_sum} of {mean_sum}");
}
