//! The memory of forecasts between nights.

use std::collections::HashMap;

use anyhow::Context;
use granary_models::backtest::memory::{Memory, PanelMemory, SeriesMemory};
use granary_models::calendar::Day;

use super::db::{self, Bulk, Db};

/// What a night adds to the memory, in the form in which it is stored.
#[derive(Default)]
pub struct MemoryRows {
    /// Of a night that refitted everything.
    pub panel: Option<Vec<u8>>,
    /// Key of a series and its memory.
    pub series: Vec<(u64, Vec<u8>)>,
}

impl MemoryRows {
    pub fn new(panel: Option<&PanelMemory>, series: &[SeriesMemory]) -> anyhow::Result<MemoryRows> {
        let panel = panel.map(postcard::to_stdvec).transpose()?;
        let series = series
            .iter()
            .map(|series| Ok((series.key, postcard::to_stdvec(series)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(MemoryRows { panel, series })
    }
}

/// What was remembered before a business date, when the last refit is at most `age_days` old.
/// A memory that another version wrote and this one cannot read counts as none.
pub async fn read(
    db: &mut Db,
    job: &str,
    before: Day,
    age_days: i32,
) -> anyhow::Result<Option<Memory>> {
    let panel: Option<(String, Vec<u8>)> = db::query_as(
        "SELECT fitted_on, memory FROM forecast_memory \
         WHERE job = $1 AND fitted_on < $2 AND fitted_on >= $3 \
         ORDER BY fitted_on DESC LIMIT 1",
    )
    .bind(job)
    .bind(before.to_string())
    .bind((before + -age_days).to_string())
    .fetch_optional(&mut *db)
    .await
    .context("reading the forecasts' memory")?;
    let Some((fitted_on, panel)) = panel else { return Ok(None) };
    let Ok(panel) = postcard::from_bytes::<PanelMemory>(&panel) else { return Ok(None) };
    let mut series = HashMap::new();
    let mut readable = true;
    db::query(
        "SELECT memory FROM forecast_memory_series \
         WHERE job = $1 AND fitted_on >= $2 AND fitted_on < $3 ORDER BY fitted_on",
    )
    .bind(job)
    .bind(fitted_on)
    .bind(before.to_string())
    .each(&mut *db, |row| {
        match postcard::from_bytes::<SeriesMemory>(row.bytes("memory")?) {
            // Later fits come later and stay.
            Ok(memory) => _ = series.insert(memory.key, memory),
            Err(_) => readable = false,
        }
        Ok::<(), anyhow::Error>(())
    })
    .await
    .context("reading the forecasts' memory")?;
    Ok(readable.then_some(Memory { panel, series }))
}

/// Adds a night's memory, and lets go of what lies before the refit before the last.
pub async fn write(
    db: &mut Db,
    job: &str,
    business_date: &str,
    rows: &MemoryRows,
) -> anyhow::Result<()> {
    for delete in [
        "DELETE FROM forecast_memory WHERE job = $1 AND fitted_on = $2",
        "DELETE FROM forecast_memory_series WHERE job = $1 AND fitted_on = $2",
    ] {
        db::query(delete).bind(job).bind(business_date).execute(db).await?;
    }
    if let Some(panel) = &rows.panel {
        db::query("INSERT INTO forecast_memory (job, fitted_on, memory) VALUES ($1, $2, $3)")
            .bind(job)
            .bind(business_date)
            .bind(panel)
            .execute(db)
            .await?;
    }
    let insert = "forecast_memory_series (job, series_key, fitted_on, memory)";
    let mut bulk = Bulk::new(db, insert, 4);
    for (key, memory) in &rows.series {
        bulk.push(job)?;
        bulk.push(*key as i64)?;
        bulk.push(business_date)?;
        bulk.push(memory.as_slice())?;
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    // Last, since a night for a date of long ago is itself what is let go of.
    if rows.panel.is_some() { forget(db, job).await } else { Ok(()) }
}

async fn forget(db: &mut Db, job: &str) -> anyhow::Result<()> {
    let oldest: Option<String> = db::query_scalar(
        "SELECT fitted_on FROM forecast_memory WHERE job = $1 \
         ORDER BY fitted_on DESC LIMIT 1 OFFSET 1",
    )
    .bind(job)
    .fetch_optional(db)
    .await?;
    let Some(oldest) = oldest else { return Ok(()) };
    for delete in [
        "DELETE FROM forecast_memory WHERE job = $1 AND fitted_on < $2",
        "DELETE FROM forecast_memory_series WHERE job = $1 AND fitted_on < $2",
    ] {
        db::query(delete).bind(job).bind(&oldest).execute(db).await?;
    }
    Ok(())
}
