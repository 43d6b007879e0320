//! The order storm: whole nights on small retailers drawn from seeds, each hit by one fault of those
//! that have flooded warehouses. No line over its cap may go out without a person, and nothing may be
//! ordered twice.
//!
//! `GRANARY_TRIALS=100 cargo test --locked --test order_storm -- --nocapture` is the full run; 8
//! trials are the slice that every build makes. A trial is one retailer and all its faults; its number
//! is its seed, and `GRANARY_FIRST_TRIAL` starts elsewhere.

#[path = "order_storm/retailer.rs"]
mod retailer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use granary::config::Job;
use granary::jobs::nightly::{self, RunOptions, RunOutcome};
use granary::store::Store;
use granary_models::calendar::Day;
use retailer::{Retailer, import};
use sqlx::AssertSqlSafe;

const JOB: &str = "name = \"storm\"\nkind = \"nightly\"\n[forecast]\nhorizon_days = 14\n";

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a whole number"))
}

struct Line {
    key: String,
    item: String,
    place: String,
    supplier: String,
    state: String,
    qty: i64,
    value_minor: i64,
}

/// What readers see: the lines of the newest published plan.
async fn current(store: &Store) -> Vec<Line> {
    let rows: Vec<(String, String, String, String, String, i64, i64)> = sqlx::query_as(
        "SELECT line_key, item_id, location_id, supplier_id, state, qty, unit_cost_minor \
         FROM v_plan_current ORDER BY line_key",
    )
    .fetch_all(&store.reader)
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
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&store.writer).await.expect("executed");
}

async fn count(store: &Store, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(&store.reader)
        .await
        .expect("a count")
}

async fn night(store: &Store, date: Day) -> RunOutcome {
    let job = Job::parse(JOB, "storm").expect("a job");
    let options = RunOptions { threads: 1, on_stage: &|_| {} };
    nightly::run(store, &job, date, &options).await.expect("a night")
}

/// What must hold whatever happened: checked in the database, not by the gates' own words.
async fn nothing_over_a_cap_and_nothing_twice(store: &Store, retailer: &Retailer, what: &str) {
    let job = Job::parse(JOB, "storm").expect("a job");
    let capped: BTreeMap<String, i64> =
        sqlx::query_as("SELECT item_id, max_order_qty FROM item WHERE max_order_qty IS NOT NULL")
            .fetch_all(&store.reader)
            .await
            .expect("caps")
            .into_iter()
            .collect();
    assert!(capped.len() < retailer.caps.len() && !capped.is_empty(), "{what}: some have a cap");
    let mut orders = BTreeSet::new();
    for line in current(store).await {
        let order = (line.item.clone(), line.place.clone(), line.supplier.clone());
        assert!(orders.insert(order), "{what}: {} is ordered twice", line.key);
        if line.state == "held" {
            continue;
        }
        let cap = capped.get(&line.item).copied().unwrap_or(job.gates.max_line_qty);
        assert!(line.qty <= cap, "{what}: {} orders {} over {cap}", line.key, line.qty);
        let most = job.gates.max_line_value_minor;
        assert!(line.value_minor <= most, "{what}: {} is worth {}", line.key, line.value_minor);
        // Told by the retailer that was drawn, not by what the night believed.
        let known = retailer.caps[&line.item];
        assert!(line.qty <= known, "{what}: {} orders {}, sane is {known}", line.key, line.qty);
    }
    let runs =
        "SELECT count(*) FROM run GROUP BY job, business_date, state ORDER BY 1 DESC LIMIT 1";
    assert_eq!(count(store, runs).await, 1, "{what}: one run of a date");
    let lost = "SELECT count(*) FROM reorder_line l WHERE l.state = 'held' AND NOT EXISTS \
                (SELECT 1 FROM finding f WHERE f.run_id = l.run_id AND f.code = l.held_because \
                 AND f.item_id = l.item_id AND f.location_id = l.location_id)";
    assert_eq!(count(store, lost).await, 0, "{what}: every held line is a finding");
}

/// Gates that held anything, by how many trials they did in.
type Tally = BTreeMap<(&'static str, String), u64>;

struct Trial<'a> {
    folder: &'a Path,
    retailer: Retailer,
    /// The first night's database, before anything went wrong.
    first: Store,
    /// Of the day between the nights.
    sales: String,
    stock: String,
    tally: &'a mut Tally,
}

impl Trial<'_> {
    /// A copy of the retailer after its first night, with the day that followed unless `sales` or
    /// `stock` say otherwise.
    async fn copy(&self, name: &str, sales: Option<&str>, stock: Option<&str>) -> Store {
        let path = self.folder.join(format!("{name}.db"));
        execute(&self.first, &format!("VACUUM INTO '{}'", path.display())).await;
        let store = Store::open(&path).await.expect("the copy opens");
        import(&store, self.folder, "sales", name, sales.unwrap_or(&self.sales)).await;
        import(&store, self.folder, "stock", name, stock.unwrap_or(&self.stock)).await;
        store
    }

    /// The night after, its lines where it was published, and the laws that always hold.
    async fn after(&mut self, store: &Store, what: &'static str) -> (RunOutcome, Vec<Line>) {
        let outcome = night(store, self.retailer.date + 1).await;
        nothing_over_a_cap_and_nothing_twice(store, &self.retailer, what).await;
        let lines = if outcome.held_because.is_empty() { current(store).await } else { Vec::new() };
        let codes: BTreeSet<String> = sqlx::query_scalar::<_, String>(
            "SELECT DISTINCT code FROM finding WHERE run_id = $1 AND severity <> 'info' \
             AND code LIKE 'gate%'",
        )
        .bind(&outcome.run_id)
        .fetch_all(&store.reader)
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
    async fn ordinary(&mut self) {
        let store = self.copy("ordinary", None, None).await;
        let (outcome, lines) = self.after(&store, "an ordinary day").await;
        assert_eq!(outcome.held_because, Vec::<String>::new(), "an ordinary day is published");
        let held = lines.iter().filter(|line| line.state == "held").count();
        assert!(10 * held <= lines.len(), "{held} of {} held on an ordinary day", lines.len());
    }

    /// Somebody exports packs, minimums or costs in a unit a thousand times smaller or larger.
    async fn unit_change(&mut self) {
        let hit = self.pick(25);
        let kind = self.retailer.random.below(4);
        let store = self.copy("unit", None, None).await;
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
        let again = night(&store, self.retailer.date + 2).await;
        nothing_over_a_cap_and_nothing_twice(&store, &self.retailer, "a unit change again").await;
        if again.held_because.is_empty() {
            for line in current(&store).await.iter().filter(|line| hit.contains(&line.item)) {
                assert_eq!(line.state, "held", "{} two nights after a unit change", line.key);
            }
        }
    }

    /// Yesterday's sales arrive in another unit.
    async fn sales_in_grams(&mut self) {
        let hit = self.pick(25);
        let sales = scaled(&self.sales, 3, &hit, 1_000);
        let store = self.copy("grams", Some(&sales), None).await;
        let _ = self.after(&store, "sales ×1000").await;
    }

    /// The stock feed sends zeros, for everything or for some items.
    async fn stock_zeroed(&mut self) {
        let all = self.retailer.random.chance(50);
        let hit = if all { self.retailer.caps.keys().cloned().collect() } else { self.pick(15) };
        let stock = scaled(&self.stock, 3, &hit, 0);
        let store = self.copy("zeroed", None, Some(&stock)).await;
        let (outcome, lines) = self.after(&store, "stock zeroed").await;
        if all {
            assert!(!outcome.held_because.is_empty(), "all stock is gone and the plan goes out");
        }
        let real: BTreeMap<(&str, &str), (i64, i64)> = self
            .retailer
            .offers
            .iter()
            .map(|offer| {
                let key = (offer.item.as_str(), offer.place.as_str());
                (key, (offer.on_hand, offer.multiple))
            })
            .collect();
        for line in lines.iter().filter(|line| hit.contains(&line.item)) {
            let (on_hand, multiple) = real[&(line.item.as_str(), line.place.as_str())];
            let before = count(
                &store,
                &format!(
                    "SELECT on_hand FROM stock WHERE item_id = '{}' AND location_id = '{}' \
                     AND date = '{}'",
                    line.item,
                    line.place,
                    self.retailer.date - 1
                ),
            )
            .await;
            if on_hand >= multiple && 2 * on_hand > before {
                assert_eq!(line.state, "held", "{}: {on_hand} are there", line.key);
            }
        }
    }

    /// Open orders vanish from the table without having been received.
    async fn orders_lost(&mut self) {
        let store = self.copy("lost", None, None).await;
        execute(&store, "DELETE FROM purchase_order WHERE state = 'open'").await;
        let (outcome, _) = self.after(&store, "order feed lost").await;
        let lost = "gate_orders_lost".to_owned();
        assert!(outcome.held_because.contains(&lost), "{:?}", outcome.held_because);
    }

    /// Lines are released, and purchasing's orders never come back.
    async fn releases_unseen(&mut self) {
        let store = self.copy("unseen", None, None).await;
        let released: BTreeSet<(String, String)> = current(&store)
            .await
            .into_iter()
            .filter(|line| line.state == "proposed")
            .map(|line| (line.item, line.place))
            .collect();
        execute(&store, "UPDATE reorder_line SET state = 'released' WHERE state = 'proposed'")
            .await;
        let (_, lines) = self.after(&store, "releases unseen").await;
        let again = |line: &&Line| released.contains(&(line.item.clone(), line.place.clone()));
        for line in lines.iter().filter(again) {
            assert_eq!(line.state, "held", "{} was released already", line.key);
        }
    }

    /// The day's files come again under other names, and its night runs again and again.
    async fn day_replayed(&mut self) {
        let store = self.copy("replayed", None, None).await;
        let (first, lines) = self.after(&store, "day replayed").await;
        let sums = "SELECT (SELECT sum(qty) FROM sales) + (SELECT sum(on_hand) FROM stock) \
                    + (SELECT sum(qty) FROM purchase_order)";
        let before = count(&store, sums).await;
        let plan = async || -> Vec<(String, String, i64)> {
            sqlx::query_as("SELECT line_key, held_because, qty FROM reorder_line ORDER BY 1, 2")
                .fetch_all(&store.reader)
                .await
                .expect("lines")
        };
        let once = plan().await;
        import(&store, self.folder, "sales", "again", &self.sales).await;
        import(&store, self.folder, "stock", "again", &self.stock).await;
        for date in [self.retailer.date + 1, self.retailer.date, self.retailer.date + 1] {
            night(&store, date).await;
            nothing_over_a_cap_and_nothing_twice(&store, &self.retailer, "a replay").await;
        }
        assert_eq!(count(&store, sums).await, before, "no row counts twice");
        assert_eq!(plan().await, once, "a night that runs again says the same");
        let second = night(&store, self.retailer.date + 1).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn no_line_over_its_cap_goes_out_and_nothing_is_ordered_twice() {
    let (trials, first) = (setting("GRANARY_TRIALS", 8), setting("GRANARY_FIRST_TRIAL", 1));
    let mut tally = Tally::new();
    for seed in first..first + trials {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("first.db")).await.expect("a database");
        let mut retailer = Retailer::draw(seed);
        retailer.load(&store, folder.path()).await;
        let outcome = night(&store, retailer.date).await;
        let published = outcome.held_because.is_empty() && outcome.counts.lines > 5;
        assert!(published, "trial {seed}: the first night is whole: {outcome:?}");
        nothing_over_a_cap_and_nothing_twice(&store, &retailer, "the first night").await;
        let (sales, stock) = retailer.pass_a_day();
        let mut trial = Trial {
            folder: folder.path(),
            retailer,
            first: store,
            sales,
            stock,
            tally: &mut tally,
        };
        eprintln!("trial {seed}: {} offers", trial.retailer.offers.len());
        trial.ordinary().await;
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
    for fault in ["unit change", "stock zeroed", "order feed lost", "releases unseen"] {
        assert!(
            tally.keys().any(|(of, _)| *of == fault),
            "no gate ever held a plan after: {fault}"
        );
    }
}
