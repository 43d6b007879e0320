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
           SELECT o.at, 1 AS step, o.override_id AS n, 'override' AS what, o.line_key, \
             CAST(NULL AS BIGINT) AS revision, o.actor, o.old_qty, o.qty AS new_qty, \
             o.reason AS detail, o.expires_at FROM named k JOIN override o ON o.line_key = k.line_key \
           UNION ALL SELECT a.at, 2, a.approval_id, a.verdict, a.line_key, a.revision, a.actor, \
             CAST(NULL AS BIGINT), a.qty, a.reason, a.expires_at \
             FROM named k JOIN approval a ON a.line_key = k.line_key \
           UNION ALL SELECT l.released_at, 3, l.release_id, l.change, l.line_key, l.revision, \
             l.released_by, l.proposed_qty, l.qty, 'release ' || CAST(l.release_id AS TEXT), \
             CAST(NULL AS TEXT) FROM named k JOIN released_line l ON l.line_key = k.line_key \
           UNION ALL SELECT e.at, 4, e.event_no, e.operation, e.line_key, e.revision, e.actor, \
             CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), e.new_state || ': ' || e.detail, \
             CAST(NULL AS TEXT) FROM named k JOIN released_line_event e ON e.line_key = k.line_key) told \
         ORDER BY at, step, n",
    )
    .bind(&run.run_id)
    .bind(item_id)
    .bind(location_id)
    .bind(since)
    .fetch_all(db)
    .await
}

/// A line that went out and that the plan of its date does not have any more.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Gone {
    pub line_key: String,
    pub revision: i64,
    pub item_id: String,
    pub location_id: String,
    pub order_qty: i64,
    pub order_uom: String,
    pub value_minor: i64,
    pub currency: String,
}

/// Lines whose cancellation waits for somebody's approval.
pub async fn gone(db: &mut Db, run: &Run) -> sqlx::Result<Vec<Gone>> {
    db::query_as(
        "SELECT l.line_key, l.revision, l.item_id, l.location_id, l.order_qty, l.order_uom, \
         l.value_minor, l.currency FROM v_reorder_in_force l \
         JOIN v_run_current r ON r.job = l.job AND r.business_date = l.business_date \
         WHERE l.job = $1 AND l.business_date = $2 AND l.qty > 0 \
         AND NOT EXISTS (SELECT 1 FROM reorder_line p \
           WHERE p.run_id = r.run_id AND p.line_key = l.line_key) ORDER BY l.line_key",
    )
    .bind(&run.job)
    .bind(&run.business_date)
    .fetch_all(db)
    .await
}
