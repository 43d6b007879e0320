//! Approvals: a person's yes to exactly what they saw.

use granary_models::plan::life::LineEvent;
use granary_models::plan::line::LineState;
use granary_models::plan::release::{Judgement, Offer, same_person};

use super::{By, Said, Subject, checked_text, nothing_published, rules_of};
use crate::config::{Exit, Refused};
use crate::store::Store;
use crate::store::db::Db;
use crate::store::release;
use crate::store::release::lines::{self, PlanLine, Which};
use crate::store::release::words::{NewApproval, Words, insert_approval};

/// Approves a line as it stands: its quantity, its value, the gate that holds it. Approving the same
/// again changes nothing. A line that the plan no longer has is approved as a cancellation.
///
/// # Errors
/// When there is nothing to approve, the offer is the actor's own and too large for that, or a gate is
/// lifted without a reason.
pub async fn approve(store: &Store, by: &By, line_key: &str, reason: &str) -> anyhow::Result<Said> {
    let mut db = store.write().await?;
    let mut subject = Subject::find(&mut db, by, line_key).await?;
    let judgement = subject.judge()?;
    let Some(offer) = &judgement.offer else {
        return Err(subject.nothing_to_say(judgement.wanted).into());
    };
    refuse_own(by, &judgement)?;
    if !offer.held_because.is_empty() {
        checked_text("reason for lifting a gate", reason)?;
    }
    judgement.state.after(LineEvent::Approve)?;
    if !speaks_already(&subject.words, by, line_key, offer) {
        let new = NewApproval {
            line_key,
            approve: true,
            offer,
            currency: subject.currency(),
            old_state: judgement.state.as_str(),
            new_state: after_one_more(&judgement).as_str(),
            reason: reason.trim(),
            expires_days: subject.rules.approval_expires_days,
        };
        insert_approval(&mut db, by, &new).await?;
    }
    let said = subject.settle(&mut db, by).await?;
    db.commit().await?;
    Ok(said)
}

/// Takes an approval back; what has gone out has gone out.
///
/// # Errors
/// When the actor does not approve the line as it stands.
pub async fn withdraw(
    store: &Store,
    by: &By,
    line_key: &str,
    reason: &str,
) -> anyhow::Result<Said> {
    let reason = checked_text("reason", reason)?;
    let mut db = store.write().await?;
    let mut subject = Subject::find(&mut db, by, line_key).await?;
    let judgement = subject.judge()?;
    let Some(offer) = &judgement.offer else {
        return Err(subject.nothing_to_say(judgement.wanted).into());
    };
    if !speaks_already(&subject.words, by, line_key, offer) {
        let message = format!("{} does not approve line {line_key} as it stands", by.actor.name);
        return Err(Refused::new(Exit::Failed, message).into());
    }
    let fallback =
        if offer.held_because.is_empty() { LineState::Proposed } else { LineState::Held };
    let new = NewApproval {
        line_key,
        approve: false,
        offer,
        currency: subject.currency(),
        old_state: judgement.state.as_str(),
        new_state: fallback.as_str(),
        reason: &reason,
        expires_days: subject.rules.approval_expires_days,
    };
    insert_approval(&mut db, by, &new).await?;
    let said = subject.settle(&mut db, by).await?;
    db.commit().await?;
    Ok(said)
}

/// Which lines of a plan to approve at once. Held ones are approved one by one: a gate asks somebody
/// to look at that line.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub job: String,
    pub supplier_id: Option<String>,
    pub location_id: Option<String>,
}

impl Filter {
    fn takes(&self, line: &PlanLine) -> bool {
        line.state == LineState::Proposed.as_str()
            && self.supplier_id.as_ref().is_none_or(|id| *id == line.supplier_id)
            && self.location_id.as_ref().is_none_or(|id| *id == line.location_id)
    }
}

/// Approves every proposed line of a job's current plan that the filter takes and the actor may
/// approve; the others are left as they are.
pub async fn approve_all(
    store: &Store,
    by: &By,
    filter: &Filter,
    reason: &str,
) -> anyhow::Result<Vec<Said>> {
    let mut db = store.write().await?;
    let Some(run) = release::current_run(&mut db, &filter.job).await? else {
        return Err(nothing_published(&mut db, &filter.job).await?.into());
    };
    let rules = rules_of(&mut db, &run).await?.rules;
    let words = Words::of_date(&mut db, &run.business_date, &by.stamp()).await?;
    let plan = lines::plan_lines(&mut db, &run.run_id, Which::All).await?;
    let taken: Vec<&PlanLine> = plan.iter().filter(|line| filter.takes(line)).collect();
    for line in &taken {
        let judgement = words.judge(&line.line_key, Some(line), &rules)?;
        let Some(offer) = &judgement.offer else { continue };
        if refuse_own(by, &judgement).is_err() || speaks_already(&words, by, &line.line_key, offer)
        {
            continue;
        }
        let new = NewApproval {
            line_key: &line.line_key,
            approve: true,
            offer,
            currency: &line.currency,
            old_state: judgement.state.as_str(),
            new_state: after_one_more(&judgement).as_str(),
            reason: reason.trim(),
            expires_days: rules.approval_expires_days,
        };
        insert_approval(&mut db, by, &new).await?;
    }
    let said = settle_all(&mut db, by, &run.business_date, &taken, &rules).await?;
    db.commit().await?;
    Ok(said)
}

async fn settle_all(
    db: &mut Db,
    by: &By,
    business_date: &str,
    taken: &[&PlanLine],
    rules: &granary_models::plan::release::ReleaseRules,
) -> anyhow::Result<Vec<Said>> {
    let words = Words::of_date(db, business_date, &by.stamp()).await?;
    let mut said = Vec::with_capacity(taken.len());
    for line in taken {
        release::settle::settle(db, line, &words, rules).await?;
        let judgement = words.judge(&line.line_key, Some(line), rules)?;
        said.push(Said::of(&line.line_key, &judgement));
    }
    Ok(said)
}

/// Who amended a line past a limit is not the one to say yes to it.
fn refuse_own(by: &By, judgement: &Judgement) -> Result<(), Refused> {
    match judgement.need.not {
        Some(author) if same_person(author, &by.actor.name) => {
            let message = format!(
                "{} amended this line and may not approve it: {}",
                by.actor.name, judgement.need.because
            );
            Err(Refused::new(Exit::PlanHeld, message))
        }
        _ => Ok(()),
    }
}

fn speaks_already(words: &Words, by: &By, line_key: &str, offer: &Offer) -> bool {
    words.approvers(line_key, offer).iter().any(|name| same_person(name, &by.actor.name))
}

/// The state after one more approval.
fn after_one_more(judgement: &Judgement) -> LineState {
    if judgement.need.people > 0 && judgement.missing <= 1 {
        LineState::Approved
    } else {
        judgement.state
    }
}
