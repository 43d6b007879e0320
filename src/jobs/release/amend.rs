//! Overrides: another quantity than the night's.

use granary_models::plan::line::LineState;
use granary_models::plan::release::Wanted;

use super::{Asked, By, Said, Subject, checked_qty, checked_text};
use crate::config::{Exit, Refused};
use crate::store::Store;
use crate::store::db::{self, Db};
use crate::store::release::lines::PlanLine;
use crate::store::release::words::{NewOverride, insert_override};

/// What somebody wants instead of the night's quantity.
#[derive(Clone, Copy, Debug)]
pub struct Amend<'a> {
    pub line_key: &'a str,
    pub qty: Asked<'a>,
    pub reason: &'a str,
    /// Take it although it goes against pack, minimum or capacity; another person has to approve it.
    pub force: bool,
}

/// Overrides a line's quantity, also after its release: then it is the proposal of a revision.
///
/// # Errors
/// When the line is not in a current plan or is closed or cancelled, or the quantity goes against the
/// supply terms and `force` is not set.
pub async fn amend(store: &Store, by: &By, asked: &Amend<'_>) -> anyhow::Result<Said> {
    let reason = checked_text("reason", asked.reason)?;
    let mut db = store.write().await?;
    let mut subject = Subject::find(&mut db, by, asked.line_key).await?;
    let Some(line) = &subject.line else {
        let message = format!("the current plan has no line {}; cancel it instead", asked.line_key);
        return Err(Refused::new(Exit::Failed, message).into());
    };
    let qty = asked.qty.smallest(line.qty_decimals)?;
    if qty == 0 {
        let message = "a quantity of 0 orders nothing: use `granary cancel`";
        return Err(Refused::new(Exit::Usage, message).into());
    }
    let qty = checked_qty(qty, 1)?;
    refuse_done(&subject)?;
    let against = against_terms(&mut db, line, qty).await?;
    if !against.is_empty() && !asked.force {
        let message = format!(
            "{against}; order what the terms allow, or say --force and have another person approve"
        );
        return Err(Refused::new(Exit::DataRejected, message).into());
    }
    let before = subject.judge()?.offer.map_or(line.qty, |offer| offer.qty);
    let new = NewOverride {
        line_key: asked.line_key,
        old_qty: before,
        qty,
        reason: &reason,
        expires_days: Some(subject.rules.override_expires_days),
        cap_qty: line.cap_qty,
        against_terms: &against,
    };
    insert_override(&mut db, by, &new).await?;
    let said = subject.settle(&mut db, by).await?;
    db.commit().await?;
    Ok(said)
}

/// What is cancelled, closed or being cancelled takes no other quantity.
fn refuse_done(subject: &Subject) -> anyhow::Result<()> {
    let judgement = subject.judge()?;
    let cancelled = subject.words.amended(&subject.line_key).is_some_and(|row| row.qty == 0);
    let done = match (judgement.wanted, judgement.state) {
        (Wanted::AsReleased, LineState::Closed) => "closed",
        (Wanted::Nothing, _) => "cancelled",
        (Wanted::AsReleased, LineState::Cancelled) => "cancelled",
        (Wanted::Cancellation { .. }, _) if cancelled => "being cancelled",
        _ => return Ok(()),
    };
    let message = format!(
        "line {} is {done} and takes no other quantity; a later night may propose it again",
        subject.line_key
    );
    Err(Refused::new(Exit::Failed, message).into())
}

/// What a quantity goes against in the supply terms, in words; empty when it fits.
async fn against_terms(db: &mut Db, line: &PlanLine, qty: i64) -> anyhow::Result<String> {
    let terms: Option<(Option<i64>, Option<i64>, Option<i64>)> = db::query_as(
        "SELECT moq, multiple, capacity_qty FROM supply_terms WHERE item_id = $1 \
         AND location_id = $2 AND supplier_id = $3 AND source_location_id = $4",
    )
    .bind(&line.item_id)
    .bind(&line.location_id)
    .bind(&line.supplier_id)
    .bind(&line.source_location_id)
    .fetch_optional(db)
    .await?;
    let Some((moq, multiple, capacity)) = terms else { return Ok(String::new()) };
    let unit = line.unit();
    let mut against = Vec::new();
    if let Some(moq) = moq.filter(|&moq| qty < moq) {
        against.push(format!("below the minimum of {}", unit.show(moq)));
    }
    if let Some(multiple) = multiple.filter(|&multiple| multiple > 1 && qty % multiple != 0) {
        against.push(format!("no multiple of {}", unit.show(multiple)));
    }
    if let Some(capacity) = capacity.filter(|&capacity| qty > capacity) {
        against.push(format!("over the supplier's {}", unit.show(capacity)));
    }
    if against.is_empty() {
        return Ok(String::new());
    }
    Ok(format!("{} is {}", unit.show(qty), against.join(" and ")))
}
