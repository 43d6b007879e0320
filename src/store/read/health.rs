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
    /// Tables that the engine's role does not know, where PostgreSQL has our roles: they came with a
    /// migration after the roles were made. `None` where there are no roles.
    pub without_role: Option<Vec<String>>,
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
            let version = format!("SQLite {version}");
            Ok(Health { version, pages, not_durable: Vec::new(), without_role: None })
        }
        Dialect::Postgres => {
            let settings: (String, String, String, String, String) = db::query_as(
                "SELECT current_setting('server_version'), current_setting('data_checksums'), \
                 current_setting('fsync'), current_setting('full_page_writes'), \
                 current_setting('synchronous_commit')",
            )
            .fetch_one(&mut *db)
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
            let version = format!("PostgreSQL {version}");
            Ok(Health { version, pages, not_durable, without_role: without_role(db).await? })
        }
    }
}

async fn without_role(db: &mut Db) -> sqlx::Result<Option<Vec<String>>> {
    const ENGINE: &str = "granary_engine";
    let made: i64 = db::query_scalar("SELECT count(*) FROM pg_roles WHERE rolname = $1")
        .bind(ENGINE)
        .fetch_one(&mut *db)
        .await?;
    if made == 0 {
        return Ok(None);
    }
    // The address of `run` says which schema is ours.
    let missing = db::query_scalar(
        "SELECT CAST(c.relname AS TEXT) FROM pg_class c \
         WHERE c.relkind = 'r' AND c.relnamespace = \
           (SELECT r.relnamespace FROM pg_class r WHERE r.oid = to_regclass('run')) \
           AND NOT has_table_privilege($1, c.oid, 'SELECT') ORDER BY c.relname",
    )
    .bind(ENGINE)
    .fetch_all(db)
    .await?;
    Ok(Some(missing))
}
