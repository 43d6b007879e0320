//! What happened to lines after the night: who said what, what went out, who took it.

use serde::Serialize;
use sqlx::FromRow;

use super::runs::Run;
use crate::store::db::{self, Db};

/// Days before the run whose released lines are still told of.
const DAYS: i32 = 60;

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Entry {
    pub at: String,
    /// `override`, `approve`, `withdraw`, `order`, `revision`, `cancellation`, or an operation on a
    /// released line: `acknowledge`, `close`, `release` (of the revision that took its place).
    pub what: String,
    pub line_key: String,
    pub revision: Option<i64>,
    pub actor: String,
    /// Smallest units, where something had another quantity before.
    pub old_qty: Option<i64>,
    pub new_qty: Option<i64>,
    pub detail: String,
    pub expires_at: Option<String>,
}

/// Of the run's lines for an item at a location, and of what was released there lately, oldest first.
pub async fn of_place(
    db: &mut Db,
    run: &Run,
    item_id: &str,
    location_id: &str,
) -> sqlx::Result<Vec<Entry>> {
    let since = run.date().map_or_else(String::new, |date| (date - DAYS).to_string());
    db::query_as(
        "WITH named AS (SELECT line_key FROM reorder_line \
           WHERE run_id = $1 AND item_id = $2 AND location_id = $3 \
           UNION SELECT line_key FROM released_line \
           WHERE item_id = $2 AND location_id = $3 AND business_date >= $4) \
         SELECT at, what, line_key, revision, actor, old_qty, new_qty, detail, expires_at FROM ( \
           SELECT at, 1 AS step, override_id AS n, 'override' AS what, line_key, \
             CAST(NULL AS BIGINT) AS revision, actor, old_qty, qty AS new_qty, reason AS detail, \
             expires_at FROM override \
           UNION ALL SELECT at, 2, approval_id, verdict, line_key, revision, actor, \
             CAST(NULL AS BIGINT), qty, reason, expires_at FROM approval \
           UNION ALL SELECT released_at, 3, release_id, change, line_key, revision, released_by, \
             proposed_qty, qty, 'release ' || CAST(release_id AS TEXT), CAST(NULL AS TEXT) \
             FROM released_line \
           UNION ALL SELECT at, 4, event_no, operation, line_key, revision, actor, \
             CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), new_state || ': ' || detail, \
             CAST(NULL AS TEXT) FROM released_line_event) told \
         WHERE line_key IN (SELECT line_key FROM named) ORDER BY at, step, n",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .bind(since)
    .fetch_all(db)
    .await
}
