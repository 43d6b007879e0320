//! A planner's desk: plans made by hand, published as a night publishes them, in a database of each
//! kind that can be had here.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use granary::config::{Actor, Job, Role};
use granary::jobs::release::{self, Amend, Asked, By, ReleaseReport, Said, Told, Wish};
use granary::store::attempt;
use granary::store::db::{self, Dialect};
use granary::store::publish::{LineRow, RunRow, RunRows};
use granary::store::release::settle::Carried;
use granary::store::{Store, read};
use granary_models::calendar::Day;
use granary_models::plan::line::line_key;
use granary_models::plan::release::ReleaseRules;
use granary_models::policy::terms::SupplyKind;
use sqlx::AssertSqlSafe;

use crate::invariants::{Invariant, of_part};
use crate::support::database;
use crate::support::postgres::Server;

/// Far ahead: what is said at the desk must not have expired by the clock of whoever runs the test.
pub const DATE: &str = "2090-10-20";
pub const JOB: &str = "nightly";

pub struct Desk {
    pub store: Store,
    pub rules: ReleaseRules,
    pub date: Day,
    /// The desk's own clock.
    pub now: DateTime<Utc>,
    /// As `--db` takes it.
    pub address: String,
    _folder: tempfile::TempDir,
}

/// A line of a plan by hand.
#[derive(Clone, Debug)]
pub struct Line {
    pub item: &'static str,
    pub qty: i64,
    pub held_because: &'static str,
    pub unit_cost_minor: i64,
    pub supplier: &'static str,
    pub location: &'static str,
}

pub fn line(item: &'static str, qty: i64) -> Line {
    let (supplier, location) = ("V1", "S1");
    Line { item, qty, held_because: "", unit_cost_minor: 100, supplier, location }
}

impl Line {
    pub fn key(&self, date: Day) -> String {
        line_key(date, SupplyKind::Purchase, self.item, self.location, self.supplier, "")
    }

    fn row(&self, date: Day, priority: i64) -> LineRow {
        LineRow {
            line_key: self.key(date),
            kind: "purchase",
            state: if self.held_because.is_empty() { "proposed" } else { "held" },
            item_id: self.item.to_owned(),
            supplier_id: self.supplier.to_owned(),
            source_location_id: String::new(),
            location_id: self.location.to_owned(),
            qty: self.qty,
            order_qty: if self.qty % 12 == 0 { self.qty / 12 } else { self.qty },
            order_uom: if self.qty % 12 == 0 { "case" } else { "each" }.to_owned(),
            unit_cost_minor: self.unit_cost_minor,
            currency: "CNY".to_owned(),
            order_on: date.to_string(),
            expected_on: (date + 5).to_string(),
            need_on: (date + 4).to_string(),
            priority,
            expected_value_minor: 7,
            reason: format!("{{\"steps\": [\"{} 茶\"]}}", self.item),
            held_because: self.held_because.to_owned(),
            cap_qty: Some(3 * self.qty),
        }
    }
}

/// Desks on every database that can be had here.
pub async fn desks() -> Vec<Desk> {
    let mut desks = vec![Desk::on(Dialect::Sqlite).await];
    match Server::shared() {
        Some(_) => desks.push(Desk::on(Dialect::Postgres).await),
        None => {
            eprintln!("SKIPPED on PostgreSQL: it is not installed (apt-get install postgresql)")
        }
    }
    desks
}

impl Desk {
    pub async fn on(dialect: Dialect) -> Desk {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = tempfile::tempdir().expect("a folder");
        let address = match (dialect, Server::shared()) {
            (Dialect::Postgres, Some(server)) => server.create(&format!("desk{number}")).await,
            _ => folder.path().join("granary.db").display().to_string(),
        };
        let store = database::open(&address).await;
        let desk = Desk {
            store,
            rules: ReleaseRules {
                approve_above_minor: 10_000,
                second_person_above_minor: 100_000,
                ..ReleaseRules::default()
            },
            date: DATE.parse().expect("a date"),
            now: Utc.with_ymd_and_hms(2090, 10, 20, 6, 0, 0).single().expect("an instant"),
            address,
            _folder: folder,
        };
        for sql in [
            "INSERT INTO item (item_id, name) VALUES ('tea', 'Tea'), ('rice', 'Rice'), ('oil', 'Oil')",
            "INSERT INTO location (location_id) VALUES ('S1'), ('S2')",
            "INSERT INTO supplier (supplier_id) VALUES ('V1'), ('V2')",
            "INSERT INTO supply_terms (item_id, location_id, supplier_id, moq, multiple, capacity_qty) \
             VALUES ('tea', 'S1', 'V1', 12, 12, 1200)",
        ] {
            desk.execute(sql).await.expect(sql);
        }
        desk
    }

    pub async fn execute(&self, sql: &str) -> sqlx::Result<u64> {
        self.store.execute(db::query(AssertSqlSafe(sql.to_owned()))).await
    }

    /// Every value of an answer, as text; rows in the order of the query.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut db = self.store.snapshot().await.expect("a snapshot");
        let found = db::query(AssertSqlSafe(sql.to_owned())).rows(&mut db).await.expect(sql);
        let text = |value: db::Value| match value {
            db::Value::Int(Some(value)) => value.to_string(),
            db::Value::Text(Some(value)) => value.to_string(),
            db::Value::Bool(Some(value)) => value.to_string(),
            db::Value::Real(Some(value)) => value.to_string(),
            _ => "NULL".to_owned(),
        };
        found
            .iter()
            .map(|row| row.values().expect("values").into_iter().map(text).collect())
            .collect()
    }

    pub async fn one(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].join(" ")
    }

    /// Publishes a plan for the desk's date.
    pub async fn publish(&self, lines: &[Line]) {
        self.publish_as(JOB, "", lines, Carried { rules: self.rules.clone(), closings: vec![] })
            .await;
    }

    pub async fn publish_as(&self, job: &str, gate: &str, lines: &[Line], carried: Carried) {
        let rows = RunRows {
            run: RunRow {
                job: job.to_owned(),
                business_date: self.date.to_string(),
                held_because: gate.to_owned(),
                counts: "{}".to_owned(),
                ..RunRow::default()
            },
            lines: (1..).zip(lines).map(|(n, line)| line.row(self.date, n)).collect(),
            carried,
            ..RunRows::default()
        };
        let toml = format!("name = \"{job}\"\nkind = \"nightly\"\n");
        let job = Job::parse(&toml, job).expect("a job");
        let lease =
            self.store.begin_run(&job, self.date, attempt::Asked::ByHand).await.expect("a lease");
        self.store.publish(lease.attempt_id(), &rows).await.expect("a published plan");
        lease.end("published", "", &BTreeMap::new()).await.expect("an end");
    }

    pub fn by(&self, name: &str) -> By {
        By { actor: Actor::new(name, Role::Local).expect("a name"), at: self.now }
    }

    pub fn wait(&mut self, delta: TimeDelta) {
        self.now += delta;
    }

    pub async fn approve(&self, name: &str, line: &Line) -> anyhow::Result<Said> {
        release::approve(&self.store, &self.by(name), &line.key(self.date), "seen").await
    }

    pub async fn amend(&self, name: &str, line: &Line, qty: i64) -> anyhow::Result<Said> {
        let key = line.key(self.date);
        let qty = Asked::Smallest(qty);
        let amend = Amend { line_key: &key, qty, reason: "a guess", force: false };
        release::amend(&self.store, &self.by(name), &amend).await
    }

    pub async fn cancel(&self, name: &str, line: &Line) -> anyhow::Result<Said> {
        release::cancel(&self.store, &self.by(name), &line.key(self.date), "not wanted").await
    }

    pub async fn release(&self) -> ReleaseReport {
        self.try_release().await.expect("a release")
    }

    pub async fn try_release(&self) -> anyhow::Result<ReleaseReport> {
        let wish = Wish { job: JOB.to_owned(), ..Wish::default() };
        release::release(&self.store, &self.by("olga"), &wish).await
    }

    pub async fn ack(
        &self,
        consumer: &str,
        line: &Line,
        revision: Option<i64>,
        told: Told,
    ) -> anyhow::Result<release::Acknowledged> {
        let key = line.key(self.date);
        let of = (key.as_str(), revision);
        release::acknowledge(&self.store, &self.by("erp"), consumer, of, None, told).await
    }

    /// Keys without their date, with state and quantity, of the current plan.
    pub async fn plan(&self) -> Vec<String> {
        let rows = self
            .rows(
                "SELECT line_key, state, qty, coalesce(revises, 0) FROM v_plan_current ORDER BY 1",
            )
            .await;
        rows.iter()
            .map(|row| {
                row[0].split('/').nth(2).expect("an item").to_owned() + " " + &row[1..].join(" ")
            })
            .collect()
    }

    /// Item, revision, change, quantity and state of everything that ever went out.
    pub async fn out(&self) -> Vec<String> {
        let rows = self
            .rows(
                "SELECT item_id, revision, change, qty, state FROM released_line \
                 ORDER BY line_key, revision",
            )
            .await;
        rows.iter().map(|row| row.join(" ")).collect()
    }

    /// What is wrong by the independent checker.
    pub async fn broken(&self) -> BTreeMap<&'static str, Vec<Vec<String>>> {
        let mut broken = BTreeMap::new();
        for Invariant { name, sql, .. } in of_part("releases") {
            let rows = self.rows(sql).await;
            if !rows.is_empty() {
                broken.insert(name, rows);
            }
        }
        broken
    }

    pub async fn check(&self, what: &str) {
        let broken = self.broken().await;
        assert!(broken.is_empty(), "{what}: {broken:?}");
    }

    pub async fn run(&self) -> read::runs::Run {
        let mut db = self.store.snapshot().await.expect("a snapshot");
        let choice = read::runs::RunChoice::default();
        read::runs::find(&mut db, &choice).await.expect("a run").expect("a published run")
    }
}

/// The message of a refusal, which must hold these words.
pub fn refused<T: std::fmt::Debug>(result: anyhow::Result<T>, words: &str) -> String {
    let message = format!("{:#}", result.expect_err(words));
    assert!(message.contains(words), "{message:?} should hold {words:?}");
    message
}
