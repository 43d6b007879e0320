//! Lines of the plan as a release reads them, and lines that were released.

use anyhow::Context;
use granary_models::plan::line::{LineState, order_units};
use granary_models::plan::release::{LastReleased, Planned};
use granary_models::policy::unit::QtyUnit;
use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow};

use crate::store::db::{self, Bulk, Db};

/// A line of a run, with the unit of its item.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct PlanLine {
    pub run_id: String,
    pub line_key: String,
    pub kind: String,
    pub state: String,
    pub item_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub location_id: String,
    /// Smallest units.
    pub qty: i64,
    pub order_qty: i64,
    pub order_uom: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    pub currency: String,
    pub order_on: String,
    pub expected_on: String,
    pub need_on: String,
    pub priority: i64,
    pub expected_value_minor: i64,
    pub reason: String,
    pub held_because: String,
    /// The most that an override may say without another person; `None` where nothing is known.
    pub cap_qty: Option<i64>,
    pub revises: Option<i64>,
    pub qty_decimals: i64,
    pub base_uom: String,
}

impl PlanLine {
    pub fn unit(&self) -> QtyUnit {
        unit(&self.base_uom, self.qty_decimals)
    }

    pub fn planned(&self) -> Planned<'_> {
        Planned {
            qty: self.qty,
            unit_cost_minor: self.unit_cost_minor,
            per_base: self.unit().per_base(),
            held_because: &self.held_because,
        }
    }

    pub fn state(&self) -> anyhow::Result<LineState> {
        state(&self.state, &self.line_key)
    }

    /// Another quantity as it would be ordered: in the line's packs where it is whole packs.
    pub fn order_units(&self, qty: i64) -> (i64, String) {
        if qty == self.qty {
            return (self.order_qty, self.order_uom.clone());
        }
        let in_packs = self.order_qty > 0 && self.qty % self.order_qty == 0;
        let multiple = if in_packs { self.qty / self.order_qty } else { 1 };
        order_units(qty, &self.unit(), multiple, &self.order_uom)
    }
}

fn unit(base_uom: &str, qty_decimals: i64) -> QtyUnit {
    QtyUnit { name: base_uom.to_owned(), decimals: u8::try_from(qty_decimals).unwrap_or(0) }
}

fn state(text: &str, line_key: &str) -> anyhow::Result<LineState> {
    LineState::parse(text).with_context(|| format!("the state {text:?} of line {line_key}"))
}

/// Which lines of a run.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    All,
    Key(&'a str),
    /// Of which something was said or released.
    Spoken,
}

/// Lines of a run, by key.
pub async fn plan_lines(
    db: &mut Db,
    run_id: &str,
    which: Which<'_>,
) -> anyhow::Result<Vec<PlanLine>> {
    let condition = match which {
        Which::All => "",
        Which::Key(_) => " AND l.line_key = $2",
        Which::Spoken => {
            " AND (EXISTS (SELECT 1 FROM released_line o WHERE o.line_key = l.line_key) \
             OR EXISTS (SELECT 1 FROM override o WHERE o.line_key = l.line_key) \
             OR EXISTS (SELECT 1 FROM approval o WHERE o.line_key = l.line_key))"
        }
    };
    let sql = format!(
        "SELECT l.run_id, l.line_key, l.kind, l.state, l.item_id, l.supplier_id, \
         l.source_location_id, l.location_id, l.qty, l.order_qty, l.order_uom, l.unit_cost_minor, \
         l.currency, l.order_on, l.expected_on, l.need_on, l.priority, l.expected_value_minor, \
         l.reason, l.held_because, l.cap_qty, l.revises, coalesce(i.qty_decimals, 0) AS qty_decimals, \
         coalesce(i.base_uom, 'each') AS base_uom \
         FROM reorder_line l LEFT JOIN item i ON i.item_id = l.item_id \
         WHERE l.run_id = $1{condition} ORDER BY l.line_key"
    );
    let query = db::query_as(AssertSqlSafe(sql)).bind(run_id);
    let query = match which {
        Which::Key(line_key) => query.bind(line_key),
        Which::All | Which::Spoken => query,
    };
    query.fetch_all(db).await.context("reading the plan's lines")
}

/// A revision of a line that went out.
#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ReleasedLine {
    pub line_key: String,
    pub revision: i64,
    /// The revision that it takes the place of.
    pub revises: Option<i64>,
    /// `order`, `revision` or `cancellation`.
    pub change: String,
    pub release_id: i64,
    pub job: String,
    pub business_date: String,
    pub run_id: String,
    pub kind: String,
    pub item_id: String,
    pub supplier_id: String,
    pub source_location_id: String,
    pub location_id: String,
    /// Smallest units, the whole new quantity; 0 for a cancellation.
    pub qty: i64,
    pub qty_decimals: i64,
    pub base_uom: String,
    pub order_qty: i64,
    pub order_uom: String,
    /// Per base unit.
    pub unit_cost_minor: i64,
    pub value_minor: i64,
    pub currency: String,
    pub order_on: String,
    pub expected_on: String,
    pub need_on: String,
    pub priority: i64,
    pub expected_value_minor: i64,
    #[serde(skip)]
    pub reason: String,
    pub held_because: String,
    pub proposed_qty: i64,
    pub override_id: i64,
    /// Names, one a line.
    pub approved_by: String,
    pub released_at: String,
    pub released_by: String,
    pub state: String,
    pub confirmed_qty: Option<i64>,
    pub confirmed_on: Option<String>,
    pub order_number: String,
    pub closed_on: Option<String>,
    pub closed_because: String,
}

impl ReleasedLine {
    pub fn state(&self) -> anyhow::Result<LineState> {
        state(&self.state, &self.line_key)
    }

    pub fn last(&self) -> anyhow::Result<LastReleased> {
        Ok(LastReleased {
            revision: self.revision,
            state: self.state()?,
            qty: self.qty,
            value_minor: self.value_minor,
            proposed_qty: self.proposed_qty,
            override_id: self.override_id,
        })
    }

    pub fn unit(&self) -> QtyUnit {
        unit(&self.base_uom, self.qty_decimals)
    }
}

/// The newest revision of every line whose key lies in `from..to`, by key.
pub async fn newest_revisions(
    db: &mut Db,
    from: &str,
    to: &str,
) -> anyhow::Result<Vec<ReleasedLine>> {
    db::query_as(
        "SELECT * FROM released_line l WHERE l.line_key >= $1 AND l.line_key < $2 AND l.revision = \
         (SELECT max(n.revision) FROM released_line n WHERE n.line_key = l.line_key) \
         ORDER BY l.line_key",
    )
    .bind(from)
    .bind(to)
    .fetch_all(db)
    .await
    .context("reading what was released")
}

/// One revision, or the newest.
pub async fn released(
    db: &mut Db,
    line_key: &str,
    revision: Option<i64>,
) -> anyhow::Result<Option<ReleasedLine>> {
    db::query_as(
        "SELECT * FROM released_line WHERE line_key = $1 AND revision = coalesce($2, \
         (SELECT max(revision) FROM released_line WHERE line_key = $1))",
    )
    .bind(line_key)
    .bind(revision)
    .fetch_optional(db)
    .await
    .context("reading what was released")
}

/// Writes lines as they go out; what comes of them is the tables' to begin.
pub async fn insert(db: &mut Db, lines: &[ReleasedLine]) -> anyhow::Result<()> {
    let into = "released_line (line_key, revision, revises, change, release_id, job, business_date, \
                run_id, kind, item_id, supplier_id, source_location_id, location_id, qty, \
                qty_decimals, base_uom, order_qty, order_uom, unit_cost_minor, value_minor, \
                currency, order_on, expected_on, need_on, priority, expected_value_minor, reason, \
                held_because, proposed_qty, override_id, approved_by, released_at, released_by, state)";
    let mut bulk = Bulk::new(db, into, 34);
    for line in lines {
        bulk.push(&line.line_key)?;
        bulk.push(line.revision)?;
        bulk.push(line.revises)?;
        bulk.push(&line.change)?;
        bulk.push(line.release_id)?;
        for text in [
            &line.job,
            &line.business_date,
            &line.run_id,
            &line.kind,
            &line.item_id,
            &line.supplier_id,
            &line.source_location_id,
            &line.location_id,
        ] {
            bulk.push(text)?;
        }
        bulk.push(line.qty)?;
        bulk.push(line.qty_decimals)?;
        bulk.push(&line.base_uom)?;
        bulk.push(line.order_qty)?;
        bulk.push(&line.order_uom)?;
        bulk.push(line.unit_cost_minor)?;
        bulk.push(line.value_minor)?;
        for text in [&line.currency, &line.order_on, &line.expected_on, &line.need_on] {
            bulk.push(text)?;
        }
        bulk.push(line.priority)?;
        bulk.push(line.expected_value_minor)?;
        bulk.push(&line.reason)?;
        bulk.push(&line.held_because)?;
        bulk.push(line.proposed_qty)?;
        bulk.push(line.override_id)?;
        for text in [&line.approved_by, &line.released_at, &line.released_by, &line.state] {
            bulk.push(text)?;
        }
        bulk.end_row().await?;
    }
    bulk.finish().await?;
    Ok(())
}

/// What a step of a released line writes beside its state.
#[derive(Clone, Debug, Default)]
pub struct Step<'a> {
    pub confirmed_qty: Option<i64>,
    pub confirmed_on: Option<&'a str>,
    pub order_number: Option<&'a str>,
    pub closed_on: Option<&'a str>,
    pub closed_because: Option<&'a str>,
}

/// Moves a released line on, and the plan's line with it. What the step does not tell stays.
pub async fn advance(
    db: &mut Db,
    line: &ReleasedLine,
    state: LineState,
    step: &Step<'_>,
) -> anyhow::Result<()> {
    db::query(
        "UPDATE released_line SET state = $3, confirmed_qty = coalesce($4, confirmed_qty), \
         confirmed_on = coalesce($5, confirmed_on), order_number = coalesce($6, order_number), \
         closed_on = coalesce($7, closed_on), closed_because = coalesce($8, closed_because) \
         WHERE line_key = $1 AND revision = $2",
    )
    .bind(&line.line_key)
    .bind(line.revision)
    .bind(state.as_str())
    .bind(step.confirmed_qty)
    .bind(step.confirmed_on)
    .bind(step.order_number)
    .bind(step.closed_on)
    .bind(step.closed_because)
    .execute(db)
    .await
    .with_context(|| format!("moving line {} on", line.line_key))?;
    // Only where the plan shows this very revision, not where it proposes another.
    db::query(
        "UPDATE reorder_line SET state = $3 WHERE run_id = $1 AND line_key = $2 AND state = $4",
    )
    .bind(&line.run_id)
    .bind(&line.line_key)
    .bind(state.as_str())
    .bind(&line.state)
    .execute(db)
    .await?;
    Ok(())
}
