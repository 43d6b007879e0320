//! Queries against real servers: one set of cases for all three, and what each has of its own.

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection};

use super::home::{Home, block_on};
use super::server;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

/// An upstream database with a table of sales.
struct Upstream {
    kind: Kind,
    url: String,
}

impl Upstream {
    /// Runs statements as the upstream's owner would.
    fn run(&self, statements: &[&str]) {
        let (kind, url) = (self.kind, self.url.clone());
        block_on(async move {
            match kind {
                Kind::Postgres => {
                    let mut db = sqlx::PgConnection::connect(&url).await.expect("PostgreSQL");
                    for sql in statements {
                        let sql = AssertSqlSafe((*sql).to_owned());
                        sqlx::raw_sql(sql).execute(&mut db).await.expect(statements[0]);
                    }
                }
                Kind::MariaDb => {
                    let mut db = sqlx::MySqlConnection::connect(&url).await.expect("MariaDB");
                    for sql in statements {
                        let sql = AssertSqlSafe((*sql).to_owned());
                        sqlx::raw_sql(sql).execute(&mut db).await.expect(statements[0]);
                    }
                }
                Kind::Sqlite => {
                    let mut db = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc"))
                        .await
                        .expect("SQLite");
                    for sql in statements {
                        let sql = AssertSqlSafe((*sql).to_owned());
                        sqlx::raw_sql(sql).execute(&mut db).await.expect(statements[0]);
                    }
                }
            }
        });
    }

    fn timestamp(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "timestamptz",
            Kind::MariaDb => "DATETIME(6)",
            Kind::Sqlite => "TEXT",
        }
    }

    /// A fresh table `sold` with four rows.
    fn seed(&self) {
        let create = format!(
            "CREATE TABLE sold (sku VARCHAR(20) NOT NULL, shop VARCHAR(20), day DATE, \
             pieces DECIMAL(18,3), price DECIMAL(12,2), note VARCHAR(100), changed {})",
            self.timestamp()
        );
        self.run(&[
            "DROP TABLE IF EXISTS sold",
            &create,
            "INSERT INTO sold VALUES \
             ('00123', 'S1', '2026-02-01', 3, 6.95, '', '2026-02-01 10:00:00'), \
             ('00123', 'S1', '2026-02-02', 12345678901.000, NULL, NULL, '2026-02-02 10:00:00'), \
             ('KAFFEE ä 咖啡', 'S1', '2026-02-02', 1, 0.10, 'it''s', '2026-02-02 11:00:00'), \
             ('D', 'S2', '2026-02-03', 7, 1.00, 'x', '2026-02-03 10:00:00')",
        ]);
    }
}

const MAP: &str = "null_values = [\"none\"]\nignore = [\"note\"]\nmax_qty = 99999999999\n[columns]\n\
                   item_id = \"sku\"\nlocation_id = \"shop\"\ndate = \"day\"\n\
                   qty = { from = \"pieces\", round = true }\n\
                   price_minor = { from = \"price\", scale = 2 }\n";

fn job(home: &Home, more: &str, sql: &str) {
    home.write("jobs/m.toml.map", MAP);
    home.job(&format!(
        "[[sources]]\nname = \"erp\"\nkind = \"sales\"\nmap = \"m.toml.map\"\n[sources.query]\n\
         url_env = \"UPSTREAM\"\nsql = '''{sql}'''\n{more}"
    ));
}

const ALL: &str = "SELECT sku, shop, day, pieces, price, note, changed FROM sold";
const PAST: &str =
    "SELECT sku, shop, day, pieces, price, note, changed FROM sold WHERE changed >= :watermark";
const MARK: &str = "watermark = { column = \"changed\", type = \"timestamp\", \
                    start = \"2026-01-01\", late_days = 1 }\n";

fn on_every_server(check: impl Fn(&Upstream)) {
    let sqlite = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", sqlite.path().join("erp.db").display());
    check(&Upstream { kind: Kind::Sqlite, url });
    if let Some(postgres) = server::postgres("s3cr3t") {
        check(&Upstream { kind: Kind::Postgres, url: postgres.url.clone() });
    }
    if let Some(mariadb) = server::mariadb() {
        let url = mariadb.url.replace("/mysql?", "/erp?");
        Upstream { kind: Kind::MariaDb, url: mariadb.url.clone() }
            .run(&["CREATE DATABASE erp CHARACTER SET utf8mb4"]);
        check(&Upstream { kind: Kind::MariaDb, url });
    }
}

/// All laws in one test, because starting a server takes longer than asking it.
#[test]
fn queries_on_every_server() {
    on_every_server(|upstream| {
        eprintln!("{:?}", upstream.kind);
        values_arrive_exactly(upstream);
        only_new_rows_are_asked_for(upstream);
        a_failed_pull_leaves_everything(upstream);
        drift_is_named(upstream);
        limits_hold(upstream);
        nothing_is_written(upstream);
    });
}

fn values_arrive_exactly(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    job(&home, "", &ALL.replace(", changed", ""));
    let env = [("UPSTREAM", upstream.url.as_str())];
    let pulled = home.pull_with(&[], &env).expect(0);
    assert_eq!(pulled.books(), [4, 4, 0, 0, 0]);
    let got = home.rows(
        "SELECT item_id || '|' || location_id || '|' || date || '|' || qty || '|' || \
         COALESCE(price_minor, 'NULL') FROM sales ORDER BY date, item_id",
    );
    assert_eq!(
        got,
        [
            "00123|S1|2026-02-01|3|695",
            "00123|S1|2026-02-02|12345678901|NULL",
            "KAFFEE ä 咖啡|S1|2026-02-02|1|10",
            "D|S2|2026-02-03|7|100"
        ]
    );
    // Again: everything is there already.
    assert_eq!(home.pull_with(&[], &env).expect(0).books(), [4, 0, 4, 0, 0]);

    // NULL and an empty text differ where a map makes them differ; a bad value names its row.
    job(&home, "", "SELECT sku, shop, day, note AS pieces, price FROM sold WHERE sku = 'D'");
    let bad = home.pull_with(&["--accept-schema"], &env);
    bad.refused(3, &["row 1", "qty = \"x\"", "want a plain decimal number"]);
    // Parameters are bound: a date is compared as a date.
    job(
        &home,
        "",
        &format!("{} WHERE day < :business_date AND day >= :from", ALL.replace(", changed", "")),
    );
    assert_eq!(home.pull_with(&[], &env).expect(0).books()[0], 4);
}

fn only_new_rows_are_asked_for(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    job(&home, MARK, PAST);
    let env = [("UPSTREAM", upstream.url.as_str())];
    let dry = home.pull_with(&["--dry-run"], &env).expect(0);
    assert_eq!((dry.books()[0], home.watermark().len()), (4, 0), "a dry run moves nothing");
    let first = home.pull_with(&[], &env).expect(0);
    assert_eq!(first.books(), [4, 4, 0, 0, 0]);
    assert_eq!(home.watermark(), ["2026-02-03 10:00:00"]);

    // Only rows at most a day older than the watermark are read again.
    let second = home.pull_with(&[], &env).expect(0);
    assert_eq!(second.books(), [3, 0, 3, 0, 0]);

    // A correction that comes late, a new row, and one from the far future.
    upstream.run(&[
        "UPDATE sold SET pieces = 8, changed = '2026-02-02 12:00:00' WHERE sku = 'D'",
        "INSERT INTO sold VALUES ('E', 'S2', '2026-02-04', 2, 1.00, NULL, '2026-02-04 09:00:00'), \
         ('F', 'S2', '2026-02-04', 2, 1.00, NULL, '2999-01-01 00:00:00')",
    ]);
    let third = home.pull_with(&[], &env).expect(0);
    assert_eq!(third.books(), [5, 3, 2, 0, 1]);
    assert_eq!(home.watermark(), ["2026-02-04 09:00:00"], "the far future moves nothing");
    assert!(third.notes().contains("ahead of the clock"), "{}", third.notes());
    assert!(home.sales().contains(&"D S2 2026-02-03 8".to_owned()));

    // Nothing past the watermark: nothing to do, and the watermark stays.
    upstream.run(&["DELETE FROM sold"]);
    assert_eq!(home.pull_with(&[], &env).expect(0).books(), [0; 5]);
    assert_eq!(home.watermark(), ["2026-02-04 09:00:00"]);
}

fn a_failed_pull_leaves_everything(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    job(&home, MARK, PAST);
    let env = [("UPSTREAM", upstream.url.as_str())];
    home.pull_with(&[], &env).expect(0);
    let before =
        (home.sales(), home.watermark(), home.rows("SELECT columns_seen FROM source_state"));
    let now =
        || (home.sales(), home.watermark(), home.rows("SELECT columns_seen FROM source_state"));
    // Too many bad rows.
    upstream.run(&[
        "INSERT INTO sold VALUES ('G', 'S1', '2026-02-05', -5, 1, '', '2026-02-05 00:00:00')",
    ]);
    home.pull_with(&[], &env).refused(3, &["negative", "nothing of it was kept"]);
    assert_eq!(now(), before);
    // No rows at all, but a column gone.
    job(
        &home,
        MARK,
        "SELECT sku, shop, day, price, note, changed FROM sold WHERE changed >= :watermark",
    );
    home.pull_with(&[], &env).refused(3, &["`pieces` is missing"]);
    assert_eq!(now(), before);
}

fn drift_is_named(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    let star = "SELECT * FROM sold";
    home.write("jobs/m.toml.map", MAP.replace("[\"note\"]", "[\"note\", \"changed\"]"));
    let text = home.path().join("jobs/m.toml.map");
    let map = std::fs::read_to_string(&text).expect("the map");
    job(&home, "", star);
    home.write("jobs/m.toml.map", map);
    let env = [("UPSTREAM", upstream.url.as_str())];
    home.pull_with(&[], &env).expect(0);
    upstream.run(&["ALTER TABLE sold ADD COLUMN colour VARCHAR(10)"]);
    let new = home.pull_with(&[], &env).expect(0);
    assert!(new.notes().contains("new column `colour` feeds nothing"), "{}", new.notes());
    upstream.run(&["ALTER TABLE sold RENAME COLUMN pieces TO piecez"]);
    home.pull_with(&[], &env).refused(3, &["`pieces` is missing; is it `piecez` now?"]);
    upstream.run(&["ALTER TABLE sold RENAME COLUMN piecez TO pieces"]);
    home.pull_with(&[], &env).expect(0);
    let retyped = match upstream.kind {
        Kind::Postgres => "ALTER TABLE sold ALTER COLUMN pieces TYPE text",
        Kind::MariaDb => "ALTER TABLE sold MODIFY COLUMN pieces VARCHAR(50)",
        // SQLite has no such statement; the column's type comes with the query there.
        Kind::Sqlite => "SELECT 1",
    };
    if upstream.kind != Kind::Sqlite {
        upstream.run(&[retyped]);
        home.pull_with(&[], &env).refused(3, &["the column `pieces` was", "is"]);
        home.pull_with(&["--accept-schema"], &env).expect(0);
        home.pull_with(&[], &env).expect(0);
    }
    // A column that the statement itself names.
    upstream.run(&["ALTER TABLE sold DROP COLUMN price"]);
    job(&home, "", ALL);
    home.pull_with(&[], &env).refused(3, &["schema has changed", "price"]);
    job(&home, "", "SELECT * FROM nowhere");
    home.pull_with(&[], &env).refused(3, &["schema has changed", "nowhere"]);
}

fn limits_hold(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    let env = [("UPSTREAM", upstream.url.as_str())];
    job(&home, "rows_max = 3\n", &ALL.replace(", changed", ""));
    home.pull_with(&[], &env).refused(3, &["more than 3 rows", "nothing was taken"]);
    assert!(home.rows("SELECT item_id FROM sales").is_empty());
    job(&home, "rows_max = 4\n", &ALL.replace(", changed", ""));
    home.pull_with(&[], &env).expect(0);

    let endless = match upstream.kind {
        Kind::Postgres => "SELECT pg_sleep(60)",
        Kind::MariaDb => {
            "SELECT COUNT(*) AS n FROM seq_1_to_100000 a, seq_1_to_100000 b, seq_1_to_100000 c"
        }
        Kind::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) AS i FROM n"
        }
    };
    job(&home, "timeout_seconds = 1\n", endless);
    let started = Instant::now();
    let late = home.pull_with(&["--accept-schema"], &env).expect(1);
    assert!(started.elapsed().as_secs() < 20, "the server ends it");
    let said = late.stderr.to_lowercase();
    let told = ["timeout", "interrupted", "max_statement_time", "exceeded"];
    assert!(told.iter().any(|word| said.contains(word)), "{said}");
    // A watermark that the statement does not ask for is a mistake.
    job(&home, MARK, ALL);
    home.pull_with(&[], &env).refused(2, &["no `:watermark`"]);
}

/// Whatever the statement tries, and whatever of it our own reader would let through, the upstream
/// stays as it was.
fn nothing_is_written(upstream: &Upstream) {
    let home = Home::new();
    upstream.seed();
    let env = [("UPSTREAM", upstream.url.as_str())];
    let mut cases = vec![
        ("DELETE FROM sold", 2, "should start with SELECT"),
        ("SELECT 1; DELETE FROM sold", 2, "only one statement"),
        ("WITH a AS (DELETE FROM sold RETURNING 1) SELECT 1", 2, "DELETE may not"),
        ("SELECT 1) x; DELETE FROM sold; SELECT * FROM (SELECT 1", 2, "only one statement"),
        ("SELECT sku, shop FROM sold WHERE day > :nobody", 2, "no parameter `:nobody`"),
    ];
    match upstream.kind {
        // These write without a word that says so; the server's own lock holds.
        Kind::Postgres => cases.push(("SELECT nextval('counter') AS pieces", 1, "read-only")),
        Kind::MariaDb => cases.push(("SELECT NEXTVAL(counter) AS pieces", 1, "READ ONLY")),
        Kind::Sqlite => cases.push(("SELECT load_extension('x') AS pieces", 1, "not authorized")),
    }
    if upstream.kind != Kind::Sqlite {
        upstream.run(&["DROP SEQUENCE IF EXISTS counter", "CREATE SEQUENCE counter"]);
    }
    for (sql, code, part) in cases {
        job(&home, "", sql);
        let pulled = home.pull_with(&["--accept-schema"], &env).expect(code);
        assert!(
            pulled.stderr.to_lowercase().contains(&part.to_lowercase()),
            "{sql}: {}",
            pulled.stderr
        );
    }
    job(&home, "", &ALL.replace(", changed", ""));
    assert_eq!(home.pull_with(&["--accept-schema"], &env).expect(0).books()[0], 4);
}

#[test]
fn a_sum_of_lines_is_not_pulled_in_parts() {
    let home = Home::new();
    home.write("jobs/sum.map", format!("{MAP}[combine]\nqty = \"sum\"\n"));
    home.job(&format!(
        "[[sources]]\nname = \"erp\"\nkind = \"sales\"\nmap = \"sum.map\"\n[sources.query]\n\
         url_env = \"UPSTREAM\"\nsql = \"{PAST}\"\n{MARK}"
    ));
    home.pull_with(&[], &[("UPSTREAM", "sqlite:nothing.db")]).refused(2, &["sums lines"]);
}

/// SQLite's values have types of their own; each becomes the text that stands for it.
#[test]
fn a_value_of_sqlite_is_taken_for_what_it_is() {
    let home = Home::new();
    let upstream = Upstream {
        kind: Kind::Sqlite,
        url: format!("sqlite:{}", home.path().join("erp.db").display()),
    };
    upstream.run(&[
        "CREATE TABLE t (item_id, location_id, date, qty)",
        "INSERT INTO t VALUES (123, 'S1', '2026-02-01', 3), ('00123', 'S1', '2026-02-01', 3.0), \
         ('A', 'S1', '2026-02-01', 0.1), ('B', 'S1', '2026-02-01', x'00ff'), \
         ('C', 'S1', '2026-02-01', 9007199254740993), ('D', CAST(x'ff41' AS TEXT), '2026-02-01', 1)",
    ]);
    home.job(
        "[[sources]]\nname = \"erp\"\nkind = \"sales\"\nreject_limit = 1.0\n[sources.query]\n\
         url_env = \"UPSTREAM\"\nsql = \"SELECT * FROM t\"\n",
    );
    let pulled = home.pull_with(&[], &[("UPSTREAM", &upstream.url)]).expect(0);
    assert_eq!(pulled.books(), [6, 2, 0, 4, 0]);
    assert_eq!(home.sales(), ["00123 S1 2026-02-01 3", "123 S1 2026-02-01 3"]);
    let codes = home.rows("SELECT row_no || ' ' || code FROM import_rejection ORDER BY row_no");
    assert_eq!(
        codes,
        ["3 not_whole", "4 control_character", "5 absurd_quantity", "6 control_character"]
    );
}
