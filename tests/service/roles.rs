//! PostgreSQL's roles: every role on every object with every verb, and rows by location.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use granary::config::{ALL_TABLES, Job};
use granary::jobs::import::{ImportOptions, import_files};
use granary::jobs::nightly::{self, RunOptions};
use granary::sources::Map;
use granary::store::Store;
use granary::store::read::health;
use granary::store::roles::{ByLocation, OWNER, RolePage};
use granary_models::calendar::Day;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use support::postgres::Server;

/// A server of its own: roles belong to a server, not to a database.
async fn scene() -> Option<(Server, String, Store)> {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => {
            eprintln!("SKIPPED: {why}");
            return None;
        }
    };
    let address = server.create("granary").await;
    let store = support::database::open(&address).await;
    Some((server, address, store))
}

async fn connect(address: &str) -> PgConnection {
    let options: PgConnectOptions = address.parse().expect("an address");
    options.connect().await.expect("the server answers")
}

async fn run(connection: &mut PgConnection, sql: String) -> sqlx::Result<u64> {
    let done = sqlx::query(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Whether the current role may: whatever else is wrong with the statement, permission comes first.
async fn may(connection: &mut PgConnection, sql: String) -> bool {
    run(connection, "BEGIN".to_owned()).await.expect("a transaction");
    let tried = run(connection, sql.clone()).await;
    run(connection, "ROLLBACK".to_owned()).await.expect("rolled back");
    match tried {
        Ok(_) => true,
        Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
            Some("42501") => false,
            // A missing value, a trigger's refusal: the role was let through to them.
            Some("23502" | "23514" | "23503" | "23001") => true,
            code => panic!("{sql}: {code:?} {error}"),
        },
        Err(error) => panic!("{sql}: {error}"),
    }
}

struct Object {
    name: String,
    column: String,
    view: bool,
}

async fn objects(connection: &mut PgConnection) -> Vec<Object> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT c.relname::text, min(a.attname::text), c.relkind = 'v' FROM pg_class c \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v') \
           AND a.attidentity = '' GROUP BY 1, 3 ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .expect("the schema");
    rows.into_iter().map(|(name, column, view)| Object { name, column, view }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_page_says_and_nothing_else() {
    let Some((_server, address, store)) = scene().await else { return };
    store.apply_roles(ByLocation::No).await.expect("the roles are made");
    store.apply_roles(ByLocation::No).await.expect("and made again");
    let page = RolePage::read().expect("the page");
    let mut connection = connect(&address).await;
    let objects = objects(&mut connection).await;
    let named: BTreeSet<&str> = page.groups.values().flatten().map(String::as_str).collect();
    let there: BTreeSet<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(named, there, "every table and view is in a group, and only those");
    assert!(page.roles.len() >= 6, "{:?}", page.roles.keys());
    let mut tried = 0;
    for (role, grants) in &page.roles {
        run(&mut connection, format!("SET ROLE granary_{role}")).await.expect("a role");
        for Object { name, column, view } in &objects {
            for (verb, groups) in grants.verbs() {
                if *view && verb != "SELECT" {
                    continue;
                }
                let sql = match verb {
                    "SELECT" => format!("SELECT 1 FROM {name} LIMIT 0"),
                    "INSERT" => format!("INSERT INTO {name} DEFAULT VALUES"),
                    "UPDATE" => format!("UPDATE {name} SET {column} = DEFAULT WHERE FALSE"),
                    _ => format!("DELETE FROM {name} WHERE FALSE"),
                };
                let wanted = page.objects(groups).contains(name.as_str());
                let got = may(&mut connection, sql).await;
                assert_eq!(got, wanted, "{role} {verb} {name}");
                tried += 1;
            }
            if !view {
                let truncate = may(&mut connection, format!("TRUNCATE {name}")).await;
                assert!(!truncate, "{role} TRUNCATE {name}");
                let alter = format!("ALTER TABLE {name} ADD COLUMN mine TEXT");
                assert!(!may(&mut connection, alter).await, "{role} ALTER {name}");
            }
        }
        let create = may(&mut connection, "CREATE TABLE mine (x TEXT)".to_owned()).await;
        assert!(!create, "{role} may not make tables");
        run(&mut connection, "RESET ROLE".to_owned()).await.expect("a superuser again");
    }
    eprintln!("{tried} combinations of role, object and verb");
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class \
         WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')",
    )
    .fetch_all(&mut connection)
    .await
    .expect("owners");
    assert_eq!(owners, [OWNER]);
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind = 'v' \
         AND relnamespace = current_schema()::regnamespace \
         AND NOT coalesce('security_invoker=true' = ANY (reloptions), FALSE)",
    )
    .fetch_all(&mut connection)
    .await
    .expect("views");
    assert_eq!(open, Vec::<String>::new(), "views that read with their owner's rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_sees_its_locations_and_the_night_goes_on() {
    let Some((server, address, store)) = scene().await else { return };
    store.apply_roles(ByLocation::Yes).await.expect("the roles are made");
    let mut connection = connect(&address).await;
    for sql in [
        "CREATE ROLE night LOGIN IN ROLE granary_engine",
        "CREATE ROLE wang LOGIN IN ROLE granary_planner",
        "CREATE ROLE li LOGIN IN ROLE granary_planner",
        "INSERT INTO location_access VALUES ('wang', 'S1')",
    ] {
        run(&mut connection, sql.to_owned()).await.expect(sql);
    }
    // The engine is not the owner, and rows are guarded: imports and nights work as ever.
    let engine = support::database::open(&server.address_as("night", "granary")).await;
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/two_shops_one_centre");
    for table in &ALL_TABLES {
        let file = case.join("in").join(format!("{}.csv", table.name));
        if file.exists() {
            let options = ImportOptions::default();
            for _ in 0..2 {
                let files = [file.clone()];
                import_files(&engine, table, &files, &Map::default(), &options, |_| {})
                    .await
                    .expect("the engine imports");
            }
        }
    }
    let job = Job::read(&case.join("in/job.toml")).expect("a job");
    let date = std::fs::read_to_string(case.join("in/date")).expect("a date");
    let date: Day = date.trim().parse().expect("a date");
    let options = RunOptions { threads: 1, ..RunOptions::default() };
    nightly::run(&engine, &job, date, &options).await.expect("the engine's night");

    let places = "SELECT DISTINCT location_id FROM v_forecast_current ORDER BY 1";
    let seen = async |login: &str| -> Vec<String> {
        let mut connection = connect(&server.address_as(login, "granary")).await;
        sqlx::query_scalar(places).fetch_all(&mut connection).await.expect(places)
    };
    let all = seen("li").await;
    assert!(all.len() >= 2, "{all:?}");
    assert_eq!(seen("wang").await, ["S1"]);
    assert_eq!(seen("night").await, all);

    // The doctor tells of a table that came after the roles.
    let without_role = async || {
        let mut db = store.snapshot().await.expect("a snapshot");
        health::of(&mut db).await.expect("an answer").without_role
    };
    assert_eq!(without_role().await, Some(Vec::new()));
    run(&mut connection, "CREATE TABLE later (id BIGINT)".to_owned()).await.expect("a table");
    assert_eq!(without_role().await, Some(vec!["later".to_owned()]));
}
