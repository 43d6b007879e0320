//! Writing what a plan advises beside its lines: open orders, stock that should go, limits.

use std::sync::Arc;

use super::{PlanLimitRow, RunRows};
use crate::store::db::{Bulk, Db};

pub(super) async fn write(db: &mut Db, run_id: &Arc<str>, rows: &RunRows) -> anyhow::Result<()> {
    let insert = "order_exception (run_id, item_id, location_id, po_id, line_no, \
                  supplier_id, action, qty, due_on, move_to, value_minor, currency, detail)";
    let mut bulk = Bulk::new(db, insert, 13);
    for row in &rows.exceptions {
        bulk.push(run_id.clone())?;
        for text in [&row.item_id, &row.location_id, &row.po_id, &row.line_no, &row.supplier_id] {
            bulk.push(text.as_str())?;
        }
        bulk.push(row.action)?;
        bulk.push(row.qty)?;
        bulk.push(row.due_on.as_str())?;
        bulk.push(row.move_to.as_str())?;
        bulk.push(row.value_minor)?;
        bulk.push(row.currency.as_str())?;
        bulk.push(row.detail.as_str())?;
        bulk.end_row().await?;
    }
    bulk.finish().await?;

    let insert = "stock_exit (run_id, item_id, location_id, qty, days_without_sale, \
                  cover_days, value_minor, proposal, to_location_id, depth, \
                  expected_recovery_minor, currency, detail)";
    let mut bulk = Bulk::new(db, insert, 13);
    for row in &rows.exits {
        bulk.push(run_id.clone())?;
        bulk.push(row.item_id.as_str())?;
        bulk.push(row.location_id.as_str())?;
        bulk.push(row.qty)?;
        bulk.push(row.days_without_sale)?;
        bulk.push(row.cover_days)?;
        bulk.push(row.value_minor)?;
        bulk.push(row.proposal)?;
        bulk.push(row.to_location_id.as_str())?;
        bulk.push(row.depth)?;
        bulk.push(row.expected_recovery_minor)?;
        bulk.push(row.currency.as_str())?;
        bulk.push(row.detail.as_str())?;
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    write_limits(db, run_id, &rows.limits).await
}

async fn write_limits(
    db: &mut Db,
    run_id: &Arc<str>,
    limits: &[PlanLimitRow],
) -> anyhow::Result<()> {
    let insert = "plan_limit (run_id, limit_no, name, scope, unit, amount, wanted, \
                  used, price)";
    let mut bulk = Bulk::new(db, insert, 9);
    for (limit_no, row) in (1_i64..).zip(limits) {
        bulk.push(run_id.clone())?;
        bulk.push(limit_no)?;
        for text in [&row.name, &row.scope, &row.unit] {
            bulk.push(text.as_str())?;
        }
        for value in [row.amount, row.wanted, row.used, row.price] {
            bulk.push(value)?;
        }
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    Ok(())
}
