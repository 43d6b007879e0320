//! A release: one transaction in which everything that may go goes, and nothing else.

use anyhow::Context;
use granary_models::calendar::Day;
use granary_models::plan::life::LineEvent;
use granary_models::plan::line::LineState;
use granary_models::plan::release::{Judgement, ReleaseRules, Wanted};
use serde::Serialize;

use super::offer::{Basis, line_of};
use super::{By, nothing_published, rules_of};
use crate::config::{Exit, Operation, Refused, faults};
use crate::store::Store;
use crate::store::db::{self, Db};
use crate::store::read::runs::Run;
use crate::store::release::lines::{self, PlanLine, ReleasedLine, Step, Which};
use crate::store::release::manifest::{self, Source};
use crate::store::release::settle::digest_of_lines;
use crate::store::release::switches::{self, Stop, Subject as Stoppable};
use crate::store::release::words::Words;
use crate::store::release::{self, note};

/// What is to be released.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub job: String,
    /// `None`: of the newest published plan. Another date than its is refused.
    pub date: Option<Day>,
    /// The plan that the caller has looked at; a plan with another digest is not released.
    pub plan_digest: Option<String>,
    /// Say what would go, and write nothing.
    pub dry_run: bool,
}

/// Why a line stayed behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A gate holds it, and not enough people lifted that.
    Held,
    /// It takes somebody's word.
    Waits,
    /// A kill switch is on.
    Stopped,
    /// Another job released the same line.
    OtherJob,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Left {
    pub line_key: String,
    pub why: Why,
    pub detail: String,
}

/// A line that went out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Out {
    pub line_key: String,
    pub revision: i64,
    pub change: String,
    /// Smallest units.
    pub qty: i64,
    pub order_qty: i64,
    pub order_uom: String,
    pub value_minor: i64,
    pub currency: String,
}

/// A sum over what went out: `order_qty` by its unit, `value_minor` by currency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    pub measure: String,
    pub unit: String,
    pub total: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReleaseReport {
    pub job: String,
    pub business_date: String,
    pub run_id: String,
    pub plan_digest: String,
    pub dry_run: bool,
    /// `None` where nothing went out, and on a dry run.
    pub release_id: Option<i64>,
    pub lines_hash: Option<String>,
    pub released: Vec<Out>,
    pub totals: Vec<Total>,
    pub left: Vec<Left>,
    /// Lines that had gone out before as they are.
    pub as_released: usize,
}

impl ReleaseReport {
    /// Exit code 4 if anything stayed behind.
    pub fn exit(&self) -> Exit {
        if self.left.is_empty() { Exit::Ok } else { Exit::PlanHeld }
    }
}

/// Releases what may go of the newest published plan of a job.
///
/// Switches, approvals, overrides and gates are read inside the transaction that writes, and what was
/// written is read back and compared with its manifest before it counts.
///
/// # Errors
/// When there is no such plan, it is not the newest, it is not the one that was looked at, its lines
/// were changed behind its back, or a later plan of the job is held.
pub async fn release(store: &Store, by: &By, wish: &Wish) -> anyhow::Result<ReleaseReport> {
    let mut db = store.write().await?;
    let run = releasable(&mut db, wish).await?;
    let rules = rules_of(&mut db, &run).await?;
    let plan = lines::plan_lines(&mut db, &run.run_id, Which::All).await?;
    if digest_of_lines(&plan) != rules.lines_digest || plan.len() as i64 != rules.lines {
        let message = format!(
            "the lines of {} are not those that were published; run {} for {} again",
            run.run_id, run.job, run.business_date
        );
        return Err(Refused::new(Exit::Failed, message).into());
    }
    let words = Words::of_date(&mut db, &run.business_date, &by.stamp()).await?;
    let stops = switches::stops(&mut db).await?;
    let mut sorted = sort(by, &run, &rules.rules, &plan, &words, &stops)?;
    let mut report = ReleaseReport {
        job: run.job.clone(),
        business_date: run.business_date.clone(),
        run_id: run.run_id.clone(),
        plan_digest: run.plan_digest.clone(),
        dry_run: wish.dry_run,
        release_id: None,
        lines_hash: None,
        released: sorted.going.iter().map(out_of).collect(),
        totals: totals_of(&sorted.going)?,
        left: std::mem::take(&mut sorted.left),
        as_released: sorted.as_released,
    };
    if sorted.going.is_empty() {
        db.rollback().await?;
        return Ok(report);
    }
    let manifest = write(&mut db, by, &Source::of(&run), &words, &mut sorted.going).await?;
    if wish.dry_run {
        db.rollback().await?;
        return Ok(report);
    }
    faults::point("release.before_commit")?;
    db.commit().await.context("committing the release")?;
    faults::point("release.after_commit")?;
    report.release_id = Some(manifest.release_id);
    report.lines_hash = Some(manifest.lines_hash);
    Ok(report)
}

/// The run, if it is the one that was meant and may be released.
async fn releasable(db: &mut Db, wish: &Wish) -> anyhow::Result<Run> {
    let refuse = |exit, message: String| Err(Refused::new(exit, message).into());
    let Some(run) = release::current_run(db, &wish.job).await? else {
        return Err(nothing_published(db, &wish.job).await?.into());
    };
    if let Some(date) = wish.date.filter(|date| date.to_string() != run.business_date) {
        let newest = &run.business_date;
        let message = format!(
            "the newest published plan of {} is of {newest}; the one of {date} cannot be released",
            run.job
        );
        return refuse(Exit::Usage, message);
    }
    if let Some(seen) = wish.plan_digest.as_ref().filter(|seen| **seen != run.plan_digest) {
        let message = format!(
            "{} was planned anew since: it is plan {}, and {seen} was looked at",
            run.run_id, run.plan_digest
        );
        return refuse(Exit::Failed, message);
    }
    if let Some(held) = release::held_after(db, &run).await? {
        let message = format!(
            "the later plan {} is held by {}; see to that before an older one goes out",
            held.run_id, held.held_because
        );
        return refuse(Exit::PlanHeld, message);
    }
    Ok(run)
}

/// The lines of a plan by what becomes of them.
struct Sorted {
    going: Vec<ReleasedLine>,
    left: Vec<Left>,
    as_released: usize,
}

fn sort(
    by: &By,
    run: &Run,
    rules: &ReleaseRules,
    plan: &[PlanLine],
    words: &Words,
    stops: &[Stop],
) -> anyhow::Result<Sorted> {
    let mut sorted = Sorted { going: Vec::new(), left: Vec::new(), as_released: 0 };
    for line in plan {
        let judgement = words.judge(&line.line_key, Some(line), rules)?;
        if let Some(last) = words.released(&line.line_key)
            && last.job != run.job
        {
            let detail = format!("{} released it for the same date", last.job);
            sorted.left.push(left(&line.line_key, Why::OtherJob, detail));
            continue;
        }
        let subject = Stoppable {
            job: &run.job,
            run_id: &run.run_id,
            supplier_id: &line.supplier_id,
            location_id: &line.location_id,
            source_location_id: &line.source_location_id,
        };
        let stop = switches::stopping(stops, &subject);
        sorted.take(by, run, Basis::Plan(line), &judgement, words, stop)?;
    }
    // What went out and is planned no more is to be cancelled.
    let planned: std::collections::BTreeSet<&str> =
        plan.iter().map(|line| line.line_key.as_str()).collect();
    let gone = words.all_released().filter(|last| {
        last.job == run.job
            && last.business_date == run.business_date
            && !planned.contains(last.line_key.as_str())
    });
    for last in gone {
        let judgement = words.judge(&last.line_key, None, rules)?;
        let subject = Stoppable {
            job: &run.job,
            run_id: &run.run_id,
            supplier_id: &last.supplier_id,
            location_id: &last.location_id,
            source_location_id: &last.source_location_id,
        };
        let stop = switches::stopping(stops, &subject);
        let basis = Basis::Released { last, proposed_qty: 0 };
        sorted.take(by, run, basis, &judgement, words, stop)?;
    }
    Ok(sorted)
}

impl Sorted {
    fn take(
        &mut self,
        by: &By,
        run: &Run,
        basis: Basis,
        judgement: &Judgement,
        words: &Words,
        stop: Option<&Stop>,
    ) -> anyhow::Result<()> {
        let line_key = match basis {
            Basis::Plan(line) => &line.line_key,
            Basis::Released { last, .. } => &last.line_key,
        };
        let Some(offer) = &judgement.offer else {
            self.as_released += usize::from(judgement.wanted == Wanted::AsReleased);
            return Ok(());
        };
        if let Some(stop) = stop {
            self.left.push(left(line_key, Why::Stopped, stop.told()));
            return Ok(());
        }
        if !judgement.may_go() {
            let held = !offer.held_because.is_empty();
            let (why, code) = if held { (Why::Held, offer.held_because) } else { (Why::Waits, "") };
            let blank = if held { ": " } else { "" };
            let change = judgement.wanted.change().unwrap_or_default();
            let detail = format!("{code}{blank}{change} waits for {}", judgement.waits_for());
            self.left.push(left(line_key, why, detail));
            return Ok(());
        }
        // The table has the last word: a held line, for one, never goes by rule.
        let event = match judgement.need.people {
            0 => LineEvent::ReleaseByRule,
            _ => LineEvent::Release,
        };
        judgement.state.after(event).with_context(|| format!("releasing line {line_key}"))?;
        let of = (run.job.as_str(), run.business_date.as_str(), run.run_id.as_str());
        self.going.push(line_of(by, of, basis, judgement, offer, words));
        Ok(())
    }
}

fn left(line_key: &str, why: Why, detail: String) -> Left {
    Left { line_key: line_key.to_owned(), why, detail }
}

fn out_of(line: &ReleasedLine) -> Out {
    Out {
        line_key: line.line_key.clone(),
        revision: line.revision,
        change: line.change.clone(),
        qty: line.qty,
        order_qty: line.order_qty,
        order_uom: line.order_uom.clone(),
        value_minor: line.value_minor,
        currency: line.currency.clone(),
    }
}

fn totals_of(going: &[ReleasedLine]) -> anyhow::Result<Vec<Total>> {
    let totals = manifest::totals(going)?.into_iter();
    Ok(totals.map(|((measure, unit), total)| Total { measure, unit, total }).collect())
}

/// Writes what goes: the revisions that it takes the place of step back, the manifest and its lines
/// are written and read back, and the plan shows what went.
pub(super) async fn write(
    db: &mut Db,
    by: &By,
    source: &Source<'_>,
    words: &Words,
    going: &mut [ReleasedLine],
) -> anyhow::Result<manifest::Manifest> {
    for line in going.iter() {
        let Some(last) = words.released(&line.line_key) else { continue };
        let because = format!("revision {} takes its place", line.revision);
        let state = last.state()?.after(LineEvent::Cancel)?;
        note(db, by, Operation::Release, last, state, &because).await?;
        let step = Step {
            closed_on: Some(source.business_date),
            closed_because: Some(&because),
            ..Step::default()
        };
        lines::advance(db, last, state, &step).await?;
    }
    let manifest = manifest::write(db, by, source, going).await?;
    for (state, sign) in [(LineState::Released, "<>"), (LineState::Cancelled, "=")] {
        let sql = format!(
            "UPDATE reorder_line SET state = $3 WHERE run_id = $1 AND line_key IN \
             (SELECT line_key FROM released_line WHERE release_id = $2 \
              AND change {sign} 'cancellation')"
        );
        db::query(sqlx::AssertSqlSafe(sql))
            .bind(source.run_id)
            .bind(manifest.release_id)
            .bind(state.as_str())
            .execute(db)
            .await
            .context("marking the plan's lines")?;
    }
    Ok(manifest)
}
