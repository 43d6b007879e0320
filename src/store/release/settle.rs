//! The plan's lines in step with what was said of them and what was released.

use std::sync::Arc;

use anyhow::Context;
use granary_models::calendar::Day;
use granary_models::plan::line::LineState;
use granary_models::plan::release::ReleaseRules;

use super::lines::{self, PlanLine, Step, Which};
use super::words::Words;
use super::{By, note};
use crate::config::Operation;
use crate::store::db::{self, Db};
use crate::store::publish::LineRow;

/// What a night knows of released lines beside its own plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    pub rules: ReleaseRules,
    /// Lines of which nothing more comes, and why.
    pub closings: Vec<Closing>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Closing {
    pub line_key: String,
    pub revision: i64,
    pub because: String,
}

/// Takes over, at the publication of a run, what was said and released before: inside the publishing
/// transaction, since a plan must never be seen that proposes what has already gone out.
pub async fn carry(
    db: &mut Db,
    by: &By,
    run_id: &Arc<str>,
    business_date: &str,
    plan: &[LineRow],
    carried: &Carried,
) -> anyhow::Result<()> {
    db::query(
        "INSERT INTO run_release (run_id, lines, lines_digest, rules) VALUES ($1, $2, $3, $4)",
    )
    .bind(run_id)
    .bind(i64::try_from(plan.len())?)
    .bind(digest_of_rows(plan))
    .bind(serde_json::to_string(&carried.rules)?)
    .execute(db)
    .await?;
    for closing in &carried.closings {
        close(db, by, closing, business_date).await?;
    }
    let words = Words::of_date(db, business_date, &by.stamp()).await?;
    let spoken = lines::plan_lines(db, run_id, Which::Spoken).await?;
    for line in &spoken {
        settle(db, line, &words, &carried.rules).await?;
    }
    Ok(())
}

async fn close(db: &mut Db, by: &By, closing: &Closing, business_date: &str) -> anyhow::Result<()> {
    let Some(line) = lines::released(db, &closing.line_key, Some(closing.revision)).await? else {
        return Ok(());
    };
    // Somebody may have closed it while the night was at work.
    if !line.state()?.is_in_force() {
        return Ok(());
    }
    let step = Step {
        closed_on: Some(business_date),
        closed_because: Some(&closing.because),
        ..Step::default()
    };
    note(db, by, Operation::Close, &line, LineState::Closed, &closing.because).await?;
    lines::advance(db, &line, LineState::Closed, &step).await
}

/// Brings one line of the plan to the state that all that was said comes to, and gives the state.
pub async fn settle(
    db: &mut Db,
    line: &PlanLine,
    words: &Words,
    rules: &ReleaseRules,
) -> anyhow::Result<LineState> {
    let judgement = words.judge(&line.line_key, Some(line), rules)?;
    let revises = match words.released(&line.line_key) {
        // A line that went out as a revision goes on naming the one before it.
        Some(last) if judgement.offer.is_none() => last.revises,
        _ => judgement.wanted.revises(),
    };
    if line.state == judgement.state.as_str() && line.revises == revises {
        return Ok(judgement.state);
    }
    db::query(
        "UPDATE reorder_line SET state = $3, revises = $4 WHERE run_id = $1 AND line_key = $2",
    )
    .bind(&line.run_id)
    .bind(&line.line_key)
    .bind(judgement.state.as_str())
    .bind(revises)
    .execute(db)
    .await
    .with_context(|| format!("settling line {}", line.line_key))?;
    Ok(judgement.state)
}

/// A digest over what the night decided of each line; rows to be written and rows that were read have
/// the same fields, of types that differ only in who owns the texts.
macro_rules! digest {
    ($lines:expr) => {{
        let mut hasher = blake3::Hasher::new();
        for line in $lines {
            let texts = [
                line.line_key.as_ref(),
                line.kind.as_ref(),
                line.item_id.as_ref(),
                line.supplier_id.as_ref(),
                line.source_location_id.as_ref(),
                line.location_id.as_ref(),
                line.order_uom.as_ref(),
                line.currency.as_ref(),
                line.order_on.as_ref(),
                line.expected_on.as_ref(),
                line.held_because.as_ref(),
            ];
            let cap_qty = line.cap_qty.unwrap_or(-1);
            add(&mut hasher, texts, [line.qty, line.order_qty, line.unit_cost_minor, cap_qty]);
        }
        hasher.finalize().to_hex().to_string()
    }};
}

/// A digest of what the night decided of its lines. What people and purchasing do to a line later is
/// not in it.
fn digest_of_rows(plan: &[LineRow]) -> String {
    let mut by_key: Vec<&LineRow> = plan.iter().collect();
    by_key.sort_by(|a, b| a.line_key.cmp(&b.line_key));
    digest!(by_key)
}

/// The same of lines that were read back, by key.
pub fn digest_of_lines(plan: &[PlanLine]) -> String {
    digest!(plan)
}

fn add(hasher: &mut blake3::Hasher, texts: [&str; 11], numbers: [i64; 4]) {
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
}

/// The business date of a line's key.
pub fn date_of_key(line_key: &str) -> Option<Day> {
    line_key.split_once('/')?.0.parse().ok()
}
