//! Cancelling a line, before its release or after.

use granary_models::plan::release::{Judgement, same_person};

use super::offer::{Basis, line_of};
use super::{By, Said, Subject, checked_text, send};
use crate::config::{Exit, Refused};
use crate::store::Store;
use crate::store::db::Db;
use crate::store::release::lines::ReleasedLine;
use crate::store::release::manifest::Source;
use crate::store::release::words::{
    NewApproval, NewOverride, Words, insert_approval, insert_override,
};

/// Cancels a line for good. One that has not gone out goes no more. For one that has, a cancellation
/// goes out at once, in a release of its own, so that purchasing hears of it; where its value asks for
/// more than one person, the first call is a wish and another person's call carries it out.
///
/// # Errors
/// When there is no such line, or it is closed or cancelled already.
pub async fn cancel(store: &Store, by: &By, line_key: &str, reason: &str) -> anyhow::Result<Said> {
    let reason = checked_text("reason", reason)?;
    let mut db = store.write().await?;
    let mut subject = Subject::find(&mut db, by, line_key).await?;
    let said = match subject.words.released(line_key).cloned() {
        None => {
            let judgement = subject.judge()?;
            let Some(offer) = &judgement.offer else {
                return Err(subject.nothing_to_say(judgement.wanted).into());
            };
            wish(&mut db, by, line_key, offer.qty, &reason).await?;
            subject.settle(&mut db, by).await?
        }
        Some(last) => cancel_released(&mut db, by, &mut subject, &last, &reason).await?,
    };
    db.commit().await?;
    Ok(said)
}

/// A cancellation does not expire: what is cancelled stays so.
async fn wish(
    db: &mut Db,
    by: &By,
    line_key: &str,
    old_qty: i64,
    reason: &str,
) -> sqlx::Result<i64> {
    let new = NewOverride {
        line_key,
        old_qty,
        qty: 0,
        reason,
        expires_days: None,
        cap_qty: None,
        against_terms: "",
    };
    insert_override(db, by, &new).await
}

async fn cancel_released(
    db: &mut Db,
    by: &By,
    subject: &mut Subject,
    last: &ReleasedLine,
    reason: &str,
) -> anyhow::Result<Said> {
    let line_key = last.line_key.as_str();
    if last.qty == 0 || !last.state()?.is_in_force() {
        let state = if last.qty == 0 { "cancelled" } else { last.state.as_str() };
        let message = format!("line {line_key} is {state} already");
        return Err(Refused::new(Exit::Failed, message).into());
    }
    let wished = |words: &Words| {
        words
            .amended(line_key)
            .is_some_and(|row| row.qty == 0 && row.override_id > last.override_id)
    };
    if !wished(&subject.words) {
        wish(db, by, line_key, last.qty, reason).await?;
        subject.words = Words::of_line(db, line_key, &by.stamp()).await?;
    }
    // A cancellation is judged by what went out, whatever the plan now says.
    let judgement = subject.words.judge(line_key, None, &subject.rules)?;
    let Some(offer) = &judgement.offer else {
        return Err(subject.nothing_to_say(judgement.wanted).into());
    };
    let approvers = subject.words.approvers(line_key, offer);
    if !approvers.iter().any(|name| same_person(name, &by.actor.name)) {
        let new = NewApproval {
            line_key,
            approve: true,
            offer,
            currency: &last.currency,
            old_state: &last.state,
            new_state: "cancelled",
            reason,
            expires_days: subject.rules.approval_expires_days,
        };
        insert_approval(db, by, &new).await?;
    }
    let said = subject.settle(db, by).await?;
    let judgement = subject.words.judge(line_key, None, &subject.rules)?;
    if !judgement.may_go() {
        return Ok(Said { waits_for: judgement.waits_for(), ..said });
    }
    send_cancellation(db, by, subject, last, &judgement).await
}

async fn send_cancellation(
    db: &mut Db,
    by: &By,
    subject: &Subject,
    last: &ReleasedLine,
    judgement: &Judgement<'_>,
) -> anyhow::Result<Said> {
    let Some(offer) = &judgement.offer else {
        return Err(subject.nothing_to_say(judgement.wanted).into());
    };
    // The night may go on saying what it says: it was cancelled knowing that.
    let proposed_qty = subject.line.as_ref().map_or(last.proposed_qty, |line| line.qty);
    let of = (last.job.as_str(), last.business_date.as_str(), last.run_id.as_str());
    let basis = Basis::Released { last, proposed_qty };
    let mut going = [line_of(by, of, basis, judgement, offer, &subject.words)];
    let source = Source {
        job: &last.job,
        business_date: &last.business_date,
        run_id: &last.run_id,
        plan_digest: subject.run.as_ref().map_or("", |run| &run.plan_digest),
    };
    let manifest = send::write(db, by, &source, &subject.words, &mut going).await?;
    Ok(Said {
        state: "cancelled".to_owned(),
        release_id: Some(manifest.release_id),
        ..Said::of(&last.line_key, judgement)
    })
}
