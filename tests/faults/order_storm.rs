//! The order storm: whole nights on small retailers drawn from seeds, each hit by one fault of those
//! that have flooded warehouses. No line over its cap may go out without a person, and nothing may be
//! ordered twice.
//!
//! `GRANARY_TRIALS=100 cargo test --locked --test order_storm -- --nocapture` is the full run; 8
//! trials are the slice that every build makes. A trial is one retailer and all its faults; its number
//! is its seed, and `GRANARY_FIRST_TRIAL` starts elsewhere.

#[path = "chance.rs"]
mod chance;
#[path = "invariants.rs"]
mod invariants;
#[path = "order_storm/over_nights.rs"]
mod over_nights;
#[path = "order_storm/retailer.rs"]
mod retailer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chance::setting;
use granary::config::{Actor, Job, Role};
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::jobs::release::{self, By, Filter, Told, Wish};
use granary::store::{Store, db};
use granary_models::calendar::Day;
use granary_models::plan::gates::GateLimits;
use retailer::{Offer, Retailer, import};
use sqlx::AssertSqlSafe;

const JOB: &str = "name = \"storm\"\nkind = \"nightly\"\n[forecast]\nhorizon_days = 14\n";

struct Line {
    key: String,
    item: String,
    place: String,
    supplier: String,
    state: String,
    qty: i64,
    value_minor: i64,
}

async fn lines_of(store: &Store, run_id: &str) -> Vec<Line> {
    let rows: Vec<(String, String, String, String, String, i64, i64)> = db::query_as(
        "SELECT line_key, item_id, location_id, supplier_id, state, qty, unit_cost_minor \
         FROM reorder_line WHERE run_id = $1 ORDER BY line_key",
    )
    .bind(run_id)
    .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
    .await
    .expect("the plan");
    rows.into_iter()
        .map(|(key, item, place, supplier, state, qty, cost)| {
            let value_minor = qty.saturating_mul(cost);
            Line { key, item, place, supplier, state, qty, value_minor }
        })
        .collect()
}

async fn execute(store: &Store, sql: &str) {
    store.execute(db::query(AssertSqlSafe(sql.to_owned()))).await.expect("executed");
}

async fn count(store: &Store, sql: &str) -> i64 {
    db::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a count")
}

async fn night(store: &Store, date: Day) -> RunOutcome {
    night_with(store, date, GateLimits::default()).await
}

async fn night_with(store: &Store, date: Day, gates: GateLimits) -> RunOutcome {
    let job = Job { gates, ..Job::parse(JOB, "storm").expect("a job") };
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    nightly::run(store, &job, date, &options).await.expect("a night")
}

/// The run that readers see.
async fn current(store: &Store) -> String {
    db::query_scalar("SELECT run_id FROM v_run_current")
        .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("a current run")
}

/// What is wrong with any of the runs, found in the database and not by the gates' own words.
async fn violations(store: &Store, retailer: &Retailer, limits: &GateLimits) -> Vec<String> {
    let capped: BTreeMap<String, i64> =
        db::query_as("SELECT item_id, max_order_qty FROM item WHERE max_order_qty IS NOT NULL")
            .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
            .await
            .expect("caps")
            .into_iter()
            .collect();
    let runs: Vec<String> = db::query_scalar("SELECT run_id FROM run ORDER BY run_id")
        .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("runs");
    let current = current(store).await;
    let mut odd = Vec::new();
    for run_id in runs {
        let mut orders = BTreeSet::new();
        for line in lines_of(store, &run_id).await {
            let order = (line.item.clone(), line.place.clone(), line.supplier.clone());
            if !orders.insert(order) {
                odd.push(format!("{run_id}: {} is ordered twice", line.key));
            }
            if line.state == "held" {
                continue;
            }
            let cap = capped.get(&line.item).copied().unwrap_or(limits.max_line_qty);
            // Told by the retailer that was drawn, not by what the night believed.
            let sane = retailer.caps[&line.item];
            if line.qty > cap || run_id == current && line.qty > sane {
                let qty = line.qty;
                odd.push(format!("{run_id}: {} orders {qty}, cap {cap}, sane {sane}", line.key));
            }
            if line.value_minor > limits.max_line_value_minor {
                odd.push(format!("{run_id}: {} is worth {}", line.key, line.value_minor));
            }
        }
    }
    let doubled = "SELECT count(*) FROM (SELECT job, business_date, state FROM run \
                   GROUP BY job, business_date, state HAVING count(*) > 1) twice";
    let untold = "SELECT count(*) FROM reorder_line l WHERE l.state = 'held' AND NOT EXISTS \
                  (SELECT 1 FROM finding f WHERE f.run_id = l.run_id AND f.code = l.held_because \
                   AND f.item_id = l.item_id AND f.location_id = l.location_id)";
    for (sql, what) in [(doubled, "dates with two runs"), (untold, "held lines without a finding")]
    {
        let n = count(store, sql).await;
        if n > 0 {
            odd.push(format!("{n} {what}"));
        }
    }
    odd
}

async fn assert_sound(store: &Store, retailer: &Retailer, what: &str) {
    let odd = violations(store, retailer, &GateLimits::default()).await;
    assert_eq!(odd, Vec::<String>::new(), "{what}");
    let file: String =
        db::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
            .fetch_one(&mut store.snapshot().await.expect("a snapshot"))
            .await
            .expect("the database's file");
    invariants::assert_sound(&file, what).await;
}

/// Gates that held anything, by how many trials they did in.
type Tally = BTreeMap<(&'static str, String), u64>;

/// What arrives of a day where it is not what it should be.
#[derive(Default)]
struct Arrived<'a> {
    sales: Option<&'a str>,
    stock: Option<&'a str>,
    orders: Option<&'a str>,
}

struct Trial<'a> {
    folder: &'a Path,
    retailer: Retailer,
    /// The retailer's database after a night on which nothing was wrong.
    first: Store,
    /// What arrives of the day between that night and the next, which is `retailer.date`'s.
    day: DayOfData,
    /// What a night orders when nothing is wrong.
    ordinary: Vec<(String, i64)>,
    tally: &'a mut Tally,
}

impl Trial<'_> {
    /// A copy of the retailer after its night, with the day that followed.
    async fn copy(&self, name: &str, arrived: Arrived<'_>) -> Store {
        let path = self.folder.join(format!("{name}.db"));
        self.first.copy_to(&path).await.expect("a copy");
        let store = Store::open(&path).await.expect("the copy opens");
        let full = [arrived.sales, arrived.stock, arrived.orders];
        for ((table, text), instead) in self.day.tables().into_iter().zip(full) {
            import(&store, self.folder, table, name, instead.unwrap_or(text)).await;
        }
        store
    }

    /// The night after and its lines, published or not: a person may still publish a held plan, so
    /// its lines have to be held by themselves.
    async fn after(&mut self, store: &Store, what: &'static str) -> (RunOutcome, Vec<Line>) {
        let outcome = night(store, self.retailer.date).await;
        assert_sound(store, &self.retailer, what).await;
        let lines = lines_of(store, &outcome.run_id).await;
        let codes: BTreeSet<String> = db::query_scalar::<String>(
            "SELECT DISTINCT code FROM finding WHERE run_id = $1 AND severity <> 'info' \
             AND code LIKE 'gate%'",
        )
        .bind(&outcome.run_id)
        .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
        .await
        .expect("findings")
        .into_iter()
        .collect();
        codes.into_iter().for_each(|code| *self.tally.entry((what, code)).or_default() += 1);
        (outcome, lines)
    }

    fn pick(&mut self, per_cent: u64) -> BTreeSet<String> {
        let items: Vec<String> = self.retailer.caps.keys().cloned().collect();
        let first = self.retailer.random.below(items.len() as u64) as usize;
        let mut hit = BTreeSet::from([items[first].clone()]);
        hit.extend(items.into_iter().filter(|_| self.retailer.random.chance(per_cent)));
        hit
    }

    /// Nothing goes wrong: gates that held this would be switched off within a week.
    async fn ordinary(&mut self) -> bool {
        let store = self.copy("ordinary", Arrived::default()).await;
        let (outcome, lines) = self.after(&store, "an ordinary day").await;
        let held = lines.iter().filter(|line| line.state == "held").count();
        assert!(10 * held <= lines.len(), "{held} of {} held on an ordinary day", lines.len());
        self.ordinary = lines.into_iter().map(|line| (line.key, line.qty)).collect();
        outcome.held_because.is_empty()
    }

    /// Somebody exports packs, minimums or costs in a unit a thousand times smaller or larger.
    async fn unit_change(&mut self) {
        let hit = self.pick(25);
        let kind = self.retailer.random.below(4);
        let store = self.copy("unit", Arrived::default()).await;
        let text = self.retailer.terms(|offer| {
            if !hit.contains(&offer.item) {
                return;
            }
            match kind {
                0 => (offer.multiple, offer.moq) = (1_000 * offer.multiple, 1_000 * offer.moq),
                1 => offer.moq *= 1_000,
                2 => offer.unit_cost_minor *= 1_000,
                _ => offer.unit_cost_minor = (offer.unit_cost_minor / 1_000).max(1),
            }
        });
        import(&store, self.folder, "supply_terms", "unit-terms", &text).await;
        let (_, lines) = self.after(&store, "unit change").await;
        for line in lines.iter().filter(|line| hit.contains(&line.item)) {
            assert_eq!(line.state, "held", "{} after a unit change ({kind})", line.key);
        }
        // The slip is still there the next night, and so is the gate.
        let again = night(&store, self.retailer.date + 1).await;
        assert_sound(&store, &self.retailer, "a unit change again").await;
        for line in lines_of(&store, &again.run_id).await {
            let held = !hit.contains(&line.item) || line.state == "held";
            assert!(held, "{} two nights after a unit change", line.key);
        }
    }

    /// Yesterday's sales arrive in another unit.
    async fn sales_in_grams(&mut self) {
        let hit = self.pick(25);
        let sales = scaled(&self.day.sales, 3, &hit, 1_000);
        let store = self.copy("grams", Arrived { sales: Some(&sales), ..Arrived::default() }).await;
        let _ = self.after(&store, "sales ×1000").await;
    }

    /// The stock feed sends zeros, for everything or for some items.
    async fn stock_zeroed(&mut self) {
        let all = self.retailer.random.chance(50);
        let hit = if all { self.retailer.caps.keys().cloned().collect() } else { self.pick(15) };
        let stock = scaled(&self.day.stock, 3, &hit, 0);
        let store =
            self.copy("zeroed", Arrived { stock: Some(&stock), ..Arrived::default() }).await;
        let (outcome, lines) = self.after(&store, "stock zeroed").await;
        if all {
            assert!(!outcome.held_because.is_empty(), "all stock is gone and the plan goes out");
        }
        for line in lines.iter().filter(|line| hit.contains(&line.item)) {
            let of = |offer: &&Offer| offer.item == line.item && offer.place == line.place;
            let offer = self.retailer.offers.iter().find(of).expect("an offer of the plan");
            let place = format!("item_id = '{}' AND location_id = '{}'", line.item, line.place);
            let (counted, day) = (self.retailer.date - 2, self.retailer.date - 1);
            let on = |table: &str, qty: &str, day: Day| {
                format!("SELECT {qty} FROM {table} WHERE {place} AND date = '{day}'")
            };
            let before = count(&store, &on("stock", "on_hand", counted)).await;
            let left = before - count(&store, &on("sales", "qty", day)).await;
            if left >= offer.multiple && 2 * left > before {
                assert_eq!(line.state, "held", "{}: {left} of {before} are there", line.key);
            }
        }
    }

    /// Open orders vanish from the table without having been received.
    async fn orders_lost(&mut self) {
        let store = self.copy("lost", Arrived::default()).await;
        execute(&store, "DELETE FROM purchase_order WHERE state = 'open'").await;
        let (outcome, _) = self.after(&store, "order feed lost").await;
        let lost = "gate_orders_lost".to_owned();
        assert!(outcome.held_because.contains(&lost), "{:?}", outcome.held_because);
    }

    /// Lines go out, and the orders for them never come back: they are on order all the same.
    async fn releases_unseen(&mut self) {
        let orders = Some(&*self.day.received);
        let store = self.copy("unseen", Arrived { orders, ..Arrived::default() }).await;
        let out = count(&store, "SELECT count(*) FROM released_line WHERE state = 'confirmed'");
        assert!(out.await > 0, "something went out");
        let (_, lines) = self.after(&store, "releases unseen").await;
        let lines: Vec<(String, i64)> =
            lines.into_iter().map(|line| (line.key, line.qty)).collect();
        assert_eq!(lines, self.ordinary, "the night orders as if it saw the orders");
    }

    /// The day's files come again under other names, and its night runs again and again.
    async fn day_replayed(&mut self) {
        let store = self.copy("replayed", Arrived::default()).await;
        let (first, lines) = self.after(&store, "day replayed").await;
        let sums = "SELECT (SELECT sum(qty) FROM sales) + (SELECT sum(on_hand) FROM stock) \
                    + (SELECT sum(qty) FROM purchase_order)";
        let before = count(&store, sums).await;
        let plan = async || -> Vec<(String, String, i64)> {
            db::query_as("SELECT line_key, held_because, qty FROM reorder_line ORDER BY 1, 2")
                .fetch_all(&mut store.snapshot().await.expect("a snapshot"))
                .await
                .expect("lines")
        };
        let once = plan().await;
        import(&store, self.folder, "sales", "again", &self.day.sales).await;
        import(&store, self.folder, "stock", "again", &self.day.stock).await;
        for date in [self.retailer.date, self.retailer.date - 1, self.retailer.date] {
            night(&store, date).await;
            assert_sound(&store, &self.retailer, "a replay").await;
        }
        assert_eq!(count(&store, sums).await, before, "no row counts twice");
        for (again, once) in plan().await.iter().zip(&once) {
            assert_eq!(again, once, "a night that runs again says the same");
        }
        assert_eq!(plan().await.len(), once.len(), "a night that runs again adds nothing");
        let second = night(&store, self.retailer.date).await;
        assert_eq!((second.run_id, second.held_because), (first.run_id, first.held_because));
        assert!(lines.len() < 2 * self.retailer.offers.len());
    }
}

/// A column of a CSV text, times `by` in the rows of the items that are hit.
fn scaled(text: &str, column: usize, hit: &BTreeSet<String>, by: i64) -> String {
    let line = |line: &str| {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        if hit.contains(&fields[0]) {
            let value: i64 = fields[column].parse().expect("a whole number");
            fields[column] = (value * by).to_string();
        }
        fields.join(",") + "\n"
    };
    text.lines().map(line).collect()
}

/// Every proposed line of the current plan goes out, and purchasing takes and places it. For every
/// other line it tells the order's number; the others are known by their likeness.
async fn release(store: &Store, retailer: &mut Retailer) -> String {
    let actor = |name| Actor::new(name, Role::Local).expect("a name");
    let by = |name| By { actor: actor(name), at: granary::config::clock::now() };
    let filter = Filter { job: "storm".to_owned(), ..Filter::default() };
    release::approve_all(store, &by("anna"), &filter, "seen").await.expect("approved");
    let wish = Wish { job: "storm".to_owned(), ..Wish::default() };
    release::release(store, &by("anna"), &wish).await.expect("a release");
    let lines = release::pull(store, "erp", 0, None).await.expect("what is to be taken");
    let (numbers, orders) = retailer.place_orders(
        lines.iter().map(|line| (line.item_id.as_str(), line.location_id.as_str(), line.qty)),
    );
    for (at, (line, number)) in lines.iter().zip(numbers).enumerate() {
        let order_number = (at % 2 == 0).then_some(number);
        let told = Told { order_number, ..Told::default() };
        let of = (line.line_key.as_str(), None);
        release::acknowledge(store, &by("erp"), "erp", of, None, told).await.expect("taken");
    }
    orders
}

/// Loads a retailer and lives through eight ordinary nights and days. The last day is returned and
/// has not arrived yet; so is whether the last night was published by itself. The first orders fill
/// the shelves and are like no others, so for a week the gates that compare with earlier runs are off.
async fn calm_week(store: &Store, retailer: &mut Retailer, folder: &Path) -> (DayOfData, bool) {
    retailer.load(store, folder).await;
    let first_week = GateLimits {
        max_run_value_change: 0.0,
        max_line_count_change: 0.0,
        max_changed_lines_share: 0.0,
        max_empty_stock_rise: 0.0,
        ..GateLimits::default()
    };
    for day in 0..7 {
        let outcome = night_with(store, retailer.date, first_week.clone()).await;
        assert_eq!(outcome.held_because, Vec::<String>::new(), "night {day} of the calm week");
        let arrived = pass_a_day(store, retailer).await;
        for (table, text) in arrived.tables() {
            import(store, folder, table, &format!("day{day}"), text).await;
        }
    }
    let outcome = night(store, retailer.date).await;
    let published = outcome.held_because.is_empty();
    if !published {
        // As a person would after a look: nothing was wrong.
        night_with(store, retailer.date, first_week).await;
    }
    assert_sound(store, retailer, "the calm week").await;
    (pass_a_day(store, retailer).await, published)
}

/// The plan is released and placed, and its day passes.
async fn pass_a_day(store: &Store, retailer: &mut Retailer) -> DayOfData {
    let placed = release(store, retailer).await;
    let (sales, stock, received) = retailer.pass_a_day();
    let orders = placed + received.split_once('\n').map_or("", |(_, rows)| rows);
    DayOfData { sales, stock, orders, received }
}

/// What an upstream sends of one day.
struct DayOfData {
    sales: String,
    stock: String,
    orders: String,
    /// Of them only those that came.
    received: String,
}

impl DayOfData {
    fn tables(&self) -> [(&'static str, &str); 3] {
        [("sales", &self.sales), ("stock", &self.stock), ("purchase_order", &self.orders)]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_over_its_cap_goes_out_and_nothing_is_ordered_twice() {
    let (trials, first) = (setting("GRANARY_TRIALS", 8), setting("GRANARY_FIRST_TRIAL", 1));
    let (mut tally, mut false_holds) = (Tally::new(), 0);
    for seed in first..first + trials {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("first.db")).await.expect("a database");
        let mut retailer = Retailer::draw(seed);
        eprintln!("trial {seed}: {} offers", retailer.offers.len());
        let (day, published) = calm_week(&store, &mut retailer, folder.path()).await;
        false_holds += u64::from(!published);
        let ordinary = Vec::new();
        let mut trial = Trial {
            folder: folder.path(),
            retailer,
            first: store,
            day,
            ordinary,
            tally: &mut tally,
        };
        false_holds += u64::from(!trial.ordinary().await);
        trial.unit_change().await;
        trial.sales_in_grams().await;
        trial.stock_zeroed().await;
        trial.orders_lost().await;
        trial.releases_unseen().await;
        trial.day_replayed().await;
    }
    println!(
        "order storm: {trials} trials from seed {first}; trials in which a gate held something:"
    );
    for ((fault, code), n) in &tally {
        println!("  {fault:<16} {code:<24} {n}");
    }
    println!("  {false_holds} of {} ordinary nights were held", 2 * trials);
    assert!(20 * false_holds <= 2 * trials, "{false_holds} ordinary nights were held");
    for fault in ["unit change", "stock zeroed", "order feed lost"] {
        assert!(
            tally.keys().any(|(of, _)| *of == fault),
            "no gate ever held a plan after: {fault}"
        );
    }
}

/// The storm is one: with every gate off, a pack a thousand times too large goes out in every trial.
/// A harness that saw nothing here would see nothing above either.
#[tokio::test(flavor = "multi_thread")]
async fn without_gates_the_storm_floods() {
    for seed in 1..=3 {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("off.db")).await.expect("a database");
        let mut retailer = Retailer::draw(seed);
        retailer.load(&store, folder.path()).await;
        execute(&store, "UPDATE item SET max_order_qty = NULL").await;
        let text = retailer.terms(|offer| {
            (offer.multiple, offer.moq) = (1_000 * offer.multiple, 1_000 * offer.moq);
        });
        import(&store, folder.path(), "supply_terms", "flood", &text).await;
        let outcome = night_with(&store, retailer.date, GateLimits::off()).await;
        assert_eq!(outcome.exit() as i32, 0, "trial {seed}");
        let odd = violations(&store, &retailer, &GateLimits::default()).await;
        assert!(odd.len() > 3, "trial {seed}: {odd:?}");
    }
}
