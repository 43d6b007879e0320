//! The database of a test: an SQLite file in its folder, or, with `GRANARY_TEST_DATABASE=postgres`, a
//! database of its own on a private PostgreSQL server.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use granary::config::Database;
use granary::store::Store;

use super::postgres::Server;

/// Where a test keeps its rows, as `--db` takes it.
pub async fn address(folder: &Path) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    if !on_postgres() {
        return folder.join("granary.db").display().to_string();
    }
    let server = Server::shared().expect("GRANARY_TEST_DATABASE=postgres needs PostgreSQL");
    server.create(&format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed))).await
}

/// Whether this test run is against PostgreSQL.
pub fn on_postgres() -> bool {
    match std::env::var("GRANARY_TEST_DATABASE").as_deref() {
        Ok("postgres") => true,
        Ok("sqlite") | Err(_) => false,
        Ok(other) => panic!("GRANARY_TEST_DATABASE is {other:?}, want sqlite or postgres"),
    }
}

pub async fn open(address: &str) -> Store {
    let database = Database::parse(address).expect("an address of a database");
    Store::connect(&database).await.expect("a database")
}
