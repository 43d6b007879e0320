//! What is older than its retention goes, by table and in small steps.

use anyhow::Context;
use granary_models::calendar::Day;
use serde::Serialize;

use crate::config::Retention;
use crate::store::Store;
use crate::store::purge::Purgeable;

/// What went, or would go.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Purged {
    pub name: String,
    pub days: i32,
    /// Rows of days before this one.
    pub before: Day,
    pub rows: u64,
}

/// Removes what is older than its retention on `today`. On a dry run it only counts.
///
/// The newest published plan of a job stays, however old, and so does everything about lines that were
/// released.
pub async fn purge(
    store: &Store,
    retention: &Retention,
    today: Day,
    purged_at: &str,
    dry_run: bool,
) -> anyhow::Result<Vec<Purged>> {
    let mut report = Vec::new();
    for (name, &days) in &retention.0 {
        let what = Purgeable::named(name).with_context(|| format!("retention.{name}"))?;
        let before = today - days;
        let rows = if dry_run {
            store.count_before(what, before).await?
        } else {
            store.purge_before(what, before, purged_at).await?
        };
        report.push(Purged { name: name.clone(), days, before, rows });
    }
    Ok(report)
}
