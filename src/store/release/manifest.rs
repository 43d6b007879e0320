//! Manifests: what a release was, so that a reader can prove to have got all of it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::json;
use sqlx::FromRow;

use super::By;
use super::lines::{self, ReleasedLine};
use crate::store::db::{self, Db};
use crate::store::read::runs::Run;

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct Manifest {
    pub release_id: i64,
    pub job: String,
    pub business_date: String,
    pub run_id: String,
    pub plan_digest: String,
    pub released_at: String,
    pub actor: String,
    pub role: String,
    pub lines: i64,
    pub lines_hash: String,
}

/// By measure (`order_qty`, `value_minor`) and unit.
pub type Totals = BTreeMap<(String, String), i64>;

/// Whose lines go out together.
pub struct Source<'a> {
    pub job: &'a str,
    pub business_date: &'a str,
    pub run_id: &'a str,
    pub plan_digest: &'a str,
}

impl<'a> Source<'a> {
    pub fn of(run: &'a Run) -> Source<'a> {
        Source {
            job: &run.job,
            business_date: &run.business_date,
            run_id: &run.run_id,
            plan_digest: &run.plan_digest,
        }
    }
}

/// The hash over the canonical lines: each a JSON array, by key and revision, a line feed after each.
pub fn lines_hash(lines: &[ReleasedLine]) -> String {
    let mut by_key: Vec<&ReleasedLine> = lines.iter().collect();
    by_key.sort_by(|a, b| (&a.line_key, a.revision).cmp(&(&b.line_key, b.revision)));
    let mut hasher = blake3::Hasher::new();
    for line in by_key {
        hasher.update(canonical(line).as_bytes());
        hasher.update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// What an order is made of. Advice that came with it (reason, priority, worth) is not in it.
fn canonical(line: &ReleasedLine) -> String {
    json!([
        line.line_key,
        line.revision,
        line.revises,
        line.change,
        line.job,
        line.business_date,
        line.run_id,
        line.kind,
        line.item_id,
        line.supplier_id,
        line.source_location_id,
        line.location_id,
        line.qty,
        line.qty_decimals,
        line.base_uom,
        line.order_qty,
        line.order_uom,
        line.unit_cost_minor,
        line.value_minor,
        line.currency,
        line.order_on,
        line.expected_on,
        line.need_on,
        line.held_because,
        line.proposed_qty,
        line.override_id,
        line.approved_by,
    ])
    .to_string()
}

pub fn totals(lines: &[ReleasedLine]) -> anyhow::Result<Totals> {
    let mut totals = Totals::new();
    for line in lines {
        for (measure, unit, amount) in [
            ("order_qty", &line.order_uom, line.order_qty),
            ("value_minor", &line.currency, line.value_minor),
        ] {
            let total = totals.entry((measure.to_owned(), unit.clone())).or_default();
            *total = total
                .checked_add(amount)
                .with_context(|| format!("the sum of {measure} in {unit} is beyond 64 bits"))?;
        }
    }
    Ok(totals)
}

/// Writes a release: its manifest, its sums and its lines, which get the release's number. Then reads
/// all of it back and compares, since what a manifest says must be what a reader will find.
pub async fn write(
    db: &mut Db,
    by: &By,
    source: &Source<'_>,
    lines: &mut [ReleasedLine],
) -> anyhow::Result<Manifest> {
    let hash = lines_hash(lines);
    let release_id: i64 = db::query_scalar(
        "INSERT INTO release_manifest (job, business_date, run_id, plan_digest, released_at, actor, \
         role, lines, lines_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING release_id",
    )
    .bind(source.job)
    .bind(source.business_date)
    .bind(source.run_id)
    .bind(source.plan_digest)
    .bind(by.stamp())
    .bind(&by.actor.name)
    .bind(by.actor.role.as_str())
    .bind(i64::try_from(lines.len())?)
    .bind(&hash)
    .fetch_one(db)
    .await
    .context("writing the manifest")?;
    for ((measure, unit), total) in totals(lines)? {
        db::query(
            "INSERT INTO release_total (release_id, measure, unit, total) VALUES ($1, $2, $3, $4)",
        )
        .bind(release_id)
        .bind(measure)
        .bind(unit)
        .bind(total)
        .execute(db)
        .await
        .context("writing the manifest's sums")?;
    }
    lines.iter_mut().for_each(|line| line.release_id = release_id);
    lines::insert(db, lines).await?;
    verify(db, release_id).await
}

/// Reads a release back; an error where manifest, sums and lines do not agree.
pub async fn verify(db: &mut Db, release_id: i64) -> anyhow::Result<Manifest> {
    let manifest: Manifest = db::query_as("SELECT * FROM release_manifest WHERE release_id = $1")
        .bind(release_id)
        .fetch_optional(db)
        .await?
        .with_context(|| format!("there is no release {release_id}"))?;
    let written: Vec<ReleasedLine> = db::query_as(
        "SELECT * FROM released_line WHERE release_id = $1 ORDER BY line_key, revision",
    )
    .bind(release_id)
    .fetch_all(db)
    .await?;
    ensure!(
        i64::try_from(written.len())? == manifest.lines,
        "release {release_id} has {} lines and its manifest says {}",
        written.len(),
        manifest.lines
    );
    ensure!(
        lines_hash(&written) == manifest.lines_hash,
        "the lines of release {release_id} are not those of its manifest"
    );
    let sums: Vec<(String, String, i64)> =
        db::query_as("SELECT measure, unit, total FROM release_total WHERE release_id = $1")
            .bind(release_id)
            .fetch_all(db)
            .await?;
    let sums: Totals =
        sums.into_iter().map(|(measure, unit, sum)| ((measure, unit), sum)).collect();
    ensure!(
        sums == totals(&written)?,
        "the sums of release {release_id} are not those of its lines"
    );
    Ok(manifest)
}
