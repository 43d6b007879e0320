//! How far sources were read.

use std::collections::BTreeMap;

use anyhow::Context;

use super::Store;
use super::db::{self, Db};
use crate::config::{ColumnSeen, FileSeen, PullNote};

/// What is remembered of a source's last pull that was kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceState {
    pub watermark: Option<String>,
    pub columns: Vec<ColumnSeen>,
    pub rows_read: u64,
    pub succeeded_at: String,
}

impl Store {
    /// `None` before the first pull that was kept.
    pub async fn source_state(
        &self,
        job: &str,
        source: &str,
    ) -> anyhow::Result<Option<SourceState>> {
        let sql = "SELECT watermark, columns_seen, rows_read, succeeded_at FROM source_state \
                   WHERE job = $1 AND source = $2";
        let row = db::query(sql)
            .bind(job)
            .bind(source)
            .optional_row(&mut self.snapshot().await?)
            .await
            .context("cannot read the source's state")?;
        let Some(row) = row else { return Ok(None) };
        let watermark: String = row.try_get(0)?;
        let columns: String = row.try_get(1)?;
        Ok(Some(SourceState {
            watermark: Some(watermark).filter(|text| !text.is_empty()),
            columns: serde_json::from_str(&columns).context("source_state.columns_seen")?,
            rows_read: row.try_get::<i64>(2)?.max(0) as u64,
            succeeded_at: row.try_get(3)?,
        }))
    }

    /// The files of a source that were loaded, by name.
    pub async fn source_files(
        &self,
        job: &str,
        source: &str,
    ) -> anyhow::Result<BTreeMap<String, FileSeen>> {
        let sql = "SELECT name, size_bytes, version, digest FROM source_file \
                   WHERE job = $1 AND source = $2";
        let rows = db::query(sql)
            .bind(job)
            .bind(source)
            .rows(&mut self.snapshot().await?)
            .await
            .context("cannot read the source's files")?;
        rows.iter()
            .map(|row| {
                let name: String = row.try_get(0)?;
                let seen = FileSeen {
                    name: name.clone(),
                    size_bytes: row.try_get::<i64>(1)?.max(0) as u64,
                    version: row.try_get(2)?,
                    digest: row.try_get(3)?,
                };
                Ok((name, seen))
            })
            .collect()
    }

    /// Notes a pull that brought no rows.
    pub async fn note_pull(&self, note: &PullNote, at: &str) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        write_note(&mut transaction, note, at).await?;
        transaction.commit().await.context("cannot note the pull")
    }
}

/// Writes a note inside the transaction of the rows it is about.
pub(super) async fn write_note(db: &mut Db, note: &PullNote, at: &str) -> anyhow::Result<()> {
    let sql = "INSERT INTO source_state \
               (job, source, watermark, columns_seen, rows_read, succeeded_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job, source) DO UPDATE SET \
               watermark = excluded.watermark, columns_seen = excluded.columns_seen, \
               rows_read = excluded.rows_read, succeeded_at = excluded.succeeded_at";
    db::query(sql)
        .bind(&note.job)
        .bind(&note.source)
        .bind(note.watermark.as_deref().unwrap_or(""))
        .bind(serde_json::to_string(&note.columns)?)
        .bind(note.rows as i64)
        .bind(at)
        .execute(db)
        .await
        .context("cannot write the source's state")?;
    let Some(file) = &note.file else { return Ok(()) };
    let sql = "INSERT INTO source_file (job, source, name, size_bytes, version, digest, loaded_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job, source, name) DO UPDATE SET \
               size_bytes = excluded.size_bytes, version = excluded.version, \
               digest = excluded.digest, loaded_at = excluded.loaded_at";
    db::query(sql)
        .bind(&note.job)
        .bind(&note.source)
        .bind(&file.name)
        .bind(file.size_bytes as i64)
        .bind(&file.version)
        .bind(&file.digest)
        .bind(at)
        .execute(db)
        .await
        .context("cannot write the source's file")?;
    Ok(())
}
