//! What a run's regression learned.

use crate::store::db::{self, Db};
use granary_models::backtest::panel::EffectRow;

/// By category and regressor; none where no regression took part in the run.
pub async fn effects(db: &mut Db, run_id: &str) -> sqlx::Result<Vec<EffectRow>> {
    let rows = db::query(
        "SELECT category, regressor, log_effect, low, high, days, items, occurrences FROM effect \
         WHERE run_id = $1 ORDER BY category, regressor",
    )
    .bind(run_id)
    .rows(db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(EffectRow {
                category: row.try_get("category")?,
                regressor: row.try_get("regressor")?,
                log_effect: row.try_get("log_effect")?,
                low: row.try_get("low")?,
                high: row.try_get("high")?,
                days: row.try_get("days")?,
                items: row.try_get("items")?,
                occurrences: row.try_get("occurrences")?,
            })
        })
        .collect()
}
