//! From proposal to order: overrides, approvals, releases, acknowledgements, stops.
//!
//! Every function is one write transaction and takes who does it ([`By`]); what it is called, for
//! permissions and for the books, is an [`Operation`](crate::config::Operation). `docs/release.md` tells
//! the life of a line.

mod acknowledge;
mod amend;
mod approve;
mod cancel;
mod close;
mod offer;
mod send;
mod switch;

use anyhow::Context;
use serde::Serialize;

use crate::config::{Exit, Refused};
use crate::sources::parse;
use crate::store::db::Db;
use crate::store::read::runs::{self, Run};
use crate::store::release::lines::{self, PlanLine, Which};
use crate::store::release::words::Words;
use crate::store::release::{self};
use granary_models::plan::release::{Judgement, ReleaseRules, Wanted};

pub use self::acknowledge::{Acknowledged, acknowledge, pull};
pub use self::amend::{Amend, amend};
pub use self::approve::{Filter, approve, approve_all, withdraw};
pub use self::cancel::cancel;
pub use self::close::{Closed, close};
pub use self::send::{Left, Out, ReleaseReport, Total, Why, Wish, release};
pub use self::switch::{Scope, Turned, go, stop, stops};
pub use crate::store::release::By;
pub use crate::store::release::acknowledge::{Novelty, Told};

/// What is known of a line after something was said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    pub line_key: String,
    /// Of the plan's line, or of the released one where the plan does not have it.
    pub state: String,
    /// What would go out, smallest units; `None` where nothing would.
    pub qty: Option<i64>,
    /// `order`, `revision` or `cancellation`.
    pub change: Option<&'static str>,
    pub value_minor: i64,
    /// Whose word it still takes; empty when it takes nobody's.
    pub waits_for: String,
    /// The release that it went out with at once.
    pub release_id: Option<i64>,
}

impl Said {
    /// A line that waits for somebody is exit code 4.
    pub fn exit(&self) -> Exit {
        if self.waits_for.is_empty() { Exit::Ok } else { Exit::PlanHeld }
    }

    fn of(line_key: &str, judgement: &Judgement) -> Said {
        let offer = judgement.offer.as_ref();
        Said {
            line_key: line_key.to_owned(),
            state: judgement.state.as_str().to_owned(),
            qty: offer.map(|offer| offer.qty),
            change: judgement.wanted.change(),
            value_minor: offer.map_or(0, |offer| offer.value_minor),
            waits_for: judgement.waits_for(),
            release_id: None,
        }
    }
}

/// A quantity as it was asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// Smallest units.
    Smallest(i64),
    /// In the item's base unit, as people write it: `1.5`.
    Base(&'a str),
}

impl Asked<'_> {
    fn smallest(self, qty_decimals: i64) -> anyhow::Result<i64> {
        let text = match self {
            Asked::Smallest(qty) => return Ok(qty),
            Asked::Base(text) => text,
        };
        let decimals = u32::try_from(qty_decimals).unwrap_or(0);
        parse::number(text).and_then(|number| parse::scaled(number, decimals, false, text)).map_err(
            |problem| {
                let message = format!(
                    "quantity {text:?}: {}; the item counts in {decimals} decimals",
                    problem.reason
                );
                Refused::new(Exit::Usage, message).into()
            },
        )
    }
}

/// Past this a quantity is a slip of the pen.
const QTY_MAX: i64 = 1_000_000_000_000;

fn checked_qty(qty: i64, least: i64) -> Result<i64, Refused> {
    if (least..=QTY_MAX).contains(&qty) {
        return Ok(qty);
    }
    let message = format!("the quantity is {qty} smallest units, should be in {least}..={QTY_MAX}");
    Err(Refused::new(Exit::Usage, message))
}

const TEXT_MAX: usize = 1000;

/// A text that somebody gave and that others will read.
/// Why nothing of a job can be approved or sent out.
async fn nothing_published(db: &mut Db, job: &str) -> anyhow::Result<Refused> {
    let held = match runs::newest_held(db, job, None).await? {
        Some(held) => {
            let (date, gates) = (held.business_date, held.held_because);
            format!("; the one for {date} is held by {gates}, see `granary publish`")
        }
        None => String::new(),
    };
    Ok(Refused::new(Exit::Usage, format!("no plan of job {job:?} is published{held}")))
}

pub(crate) fn checked_text(what: &str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    let wrong = if text.is_empty() {
        "is empty"
    } else if text.chars().count() > TEXT_MAX {
        "is longer than 1000 letters"
    } else if text.chars().any(char::is_control) {
        "holds a control sign"
    } else {
        return Ok(text.to_owned());
    };
    Err(Refused::new(Exit::Usage, format!("the {what} {wrong}")))
}

/// A line that something is said of, with all that was said before.
struct Subject {
    line_key: String,
    /// The newest published run of the line's job, where it is of the line's date.
    run: Option<Run>,
    /// `None` where the run does not have the line.
    line: Option<PlanLine>,
    words: Words,
    rules: ReleaseRules,
}

impl Subject {
    async fn find(db: &mut Db, by: &By, line_key: &str) -> anyhow::Result<Subject> {
        let words = Words::of_line(db, line_key, &by.stamp()).await?;
        let mut run = release::current_run_of_line(db, line_key).await?;
        if run.is_none()
            && let Some(last) = words.released(line_key)
        {
            let current = release::current_run(db, &last.job).await?;
            run = current.filter(|run| run.business_date == last.business_date);
        } else if run.is_none() {
            return Err(unknown(db, line_key).await?.into());
        }
        let mut rules = ReleaseRules::default();
        let mut line = None;
        // What went out of an older plan is judged by the rules of that plan.
        if let Some(last) = words.released(line_key)
            && let Some(of_its_run) = release::run_release(db, &last.run_id).await?
        {
            rules = of_its_run.rules;
        }
        if let Some(run) = &run {
            rules = rules_of(db, run).await?.rules;
            let found = lines::plan_lines(db, &run.run_id, Which::Key(line_key)).await?;
            line = found.into_iter().next();
        }
        Ok(Subject { line_key: line_key.to_owned(), run, line, words, rules })
    }

    fn judge(&self) -> anyhow::Result<Judgement<'_>> {
        self.words.judge(&self.line_key, self.line.as_ref(), &self.rules)
    }

    fn currency(&self) -> &str {
        let of_line = self.line.as_ref().map(|line| line.currency.as_str());
        of_line
            .or_else(|| self.words.released(&self.line_key).map(|last| last.currency.as_str()))
            .unwrap_or_default()
    }

    /// What is now said of the line, and the plan's line brought in step with it.
    async fn settle(&mut self, db: &mut Db, by: &By) -> anyhow::Result<Said> {
        self.words = Words::of_line(db, &self.line_key, &by.stamp()).await?;
        if let Some(line) = &self.line {
            release::settle::settle(db, line, &self.words, &self.rules).await?;
        }
        Ok(Said::of(&self.line_key, &self.judge()?))
    }

    /// Why there is nothing to say yes or no to.
    fn nothing_to_say(&self, wanted: Wanted) -> Refused {
        let line_key = &self.line_key;
        let message = match (wanted, self.words.released(line_key)) {
            (Wanted::AsReleased, Some(last)) => format!(
                "line {line_key} went out as it is (revision {}, {}); there is nothing to approve",
                last.revision, last.state
            ),
            _ => format!("line {line_key} is cancelled; a later night may propose it again"),
        };
        Refused::new(Exit::Failed, message)
    }
}

/// The rules that a run was published under.
async fn rules_of(db: &mut Db, run: &Run) -> anyhow::Result<release::RunRelease> {
    release::run_release(db, &run.run_id).await?.with_context(|| {
        format!(
            "{} was published by a version that could not release; run {} for {} again",
            run.run_id, run.job, run.business_date
        )
    })
}

async fn unknown(db: &mut Db, line_key: &str) -> anyhow::Result<Refused> {
    let older: Option<String> = crate::store::db::query_scalar(
        "SELECT run_id FROM reorder_line WHERE line_key = $1 ORDER BY run_id DESC LIMIT 1",
    )
    .bind(line_key)
    .fetch_optional(db)
    .await?;
    let message = match older {
        Some(run_id) => format!("line {line_key} is of {run_id}, which is not a current plan"),
        None => format!("there is no line {line_key:?}; `granary plan --json` has the keys"),
    };
    Ok(Refused::new(Exit::Usage, message))
}
