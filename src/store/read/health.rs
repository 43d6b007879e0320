//! What a database says of itself.

use crate::store::db::{self, Db, Dialect};

/// How the pages of a database are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pages {
    /// All were read just now.
    Sound,
    /// What SQLite's own check found.
    Unsound(String),
    /// PostgreSQL tells of a page that went bad when it reads it.
    Checksummed,
    /// It would not notice.
    Unchecked,
}

#[derive(Clone, Debug)]
pub struct Health {
    /// `SQLite 3.50.4`, `PostgreSQL 15.14 (Debian 15.14-0+deb12u1)`.
    pub version: String,
    pub pages: Pages,
    /// Settings under which a power cut takes back what was acknowledged.
    pub not_durable: Vec<String>,
}

/// # Errors
/// When the database does not answer.
pub async fn of(db: &mut Db) -> sqlx::Result<Health> {
    match db.dialect() {
        Dialect::Sqlite => {
            let version: String =
                db::query_scalar("SELECT sqlite_version()").fetch_one(&mut *db).await?;
            let found: String = db::query_scalar("PRAGMA quick_check(1)").fetch_one(db).await?;
            let pages = if found == "ok" { Pages::Sound } else { Pages::Unsound(found) };
            Ok(Health { version: format!("SQLite {version}"), pages, not_durable: Vec::new() })
        }
        Dialect::Postgres => {
            let settings: (String, String, String, String, String) = db::query_as(
                "SELECT current_setting('server_version'), current_setting('data_checksums'), \
                 current_setting('fsync'), current_setting('full_page_writes'), \
                 current_setting('synchronous_commit')",
            )
            .fetch_one(db)
            .await?;
            let (version, checksums, fsync, full_page_writes, synchronous_commit) = settings;
            let pages = if checksums == "on" { Pages::Checksummed } else { Pages::Unchecked };
            let wanted_on = [
                ("fsync", fsync),
                ("full_page_writes", full_page_writes),
                ("synchronous_commit", synchronous_commit),
            ];
            let off = wanted_on.into_iter().filter(|(_, value)| value == "off");
            let not_durable = off.map(|(name, _)| format!("{name} is off")).collect();
            Ok(Health { version: format!("PostgreSQL {version}"), pages, not_durable })
        }
    }
}
