//! Writing what the next night's gates compare with.

use std::sync::Arc;

use super::{RunRow, RunRows};
use crate::store::db::{self, Bulk, Db};

pub(super) async fn write(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "run_fact (run_id, kind, name, value)";
    let mut bulk = Bulk::new(db, insert, 4);
    for row in &rows.facts {
        bulk.push(run_id.clone())?;
        bulk.push(row.kind)?;
        bulk.push(row.name.as_str())?;
        bulk.push(row.value)?;
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    // A held plan was not published on any terms.
    if rows.run.held_because.is_empty() {
        write_terms(db, &rows.run, rows).await?;
    }
    Ok(())
}

async fn write_terms(db: &mut Db, run: &RunRow, rows: &RunRows) -> anyhow::Result<()> {
    db::query("DELETE FROM planned_terms WHERE job = $1 AND business_date = $2")
        .bind(&run.job)
        .bind(&run.business_date)
        .execute(db)
        .await?;
    let insert = "planned_terms (job, item_id, location_id, supplier_id, \
                  source_location_id, business_date, multiple, moq, unit_cost_minor, per_base, \
                  base_uom, pack_uom, held)";
    let mut bulk = Bulk::new(db, insert, 13);
    for row in &rows.terms {
        bulk.push(run.job.as_str())?;
        for part in &row.key {
            bulk.push(part.as_str())?;
        }
        bulk.push(run.business_date.as_str())?;
        let terms = &row.terms;
        for number in [terms.multiple, terms.moq, terms.unit_cost_minor, terms.per_base] {
            bulk.push(number)?;
        }
        bulk.push(terms.base_uom.as_str())?;
        bulk.push(terms.pack_uom.as_str())?;
        bulk.push(i64::from(row.held))?;
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    Ok(())
}
