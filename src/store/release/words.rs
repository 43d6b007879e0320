//! What people said of lines, as far as it still counts.

use std::collections::BTreeMap;

use anyhow::Context;
use granary_models::plan::release::{
    Amended, Approval, Judgement, Offer, ReleaseRules, judge, same_person,
};
use serde::Serialize;
use sqlx::FromRow;

use super::By;
use super::lines::{PlanLine, ReleasedLine, newest_revisions};
use crate::store::db::{self, Db};

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct OverrideRow {
    pub override_id: i64,
    pub line_key: String,
    pub old_qty: Option<i64>,
    pub qty: i64,
    pub actor: String,
    pub at: String,
    pub reason: String,
    pub expires_at: Option<String>,
    pub cap_qty: Option<i64>,
    pub against_terms: String,
}

impl OverrideRow {
    fn amended(&self) -> Amended<'_> {
        let over_cap = self.cap_qty.is_some_and(|cap| self.qty > cap);
        Amended {
            override_id: self.override_id,
            qty: self.qty,
            author: &self.actor,
            over_limits: over_cap || !self.against_terms.is_empty(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, FromRow)]
pub struct ApprovalRow {
    pub approval_id: i64,
    pub line_key: String,
    pub verdict: String,
    pub revision: Option<i64>,
    pub qty: Option<i64>,
    pub value_minor: Option<i64>,
    pub held_because: String,
    pub actor: String,
    pub at: String,
    pub reason: String,
    pub expires_at: Option<String>,
}

impl ApprovalRow {
    /// `None` for one of before approvals named what they approve.
    fn offer(&self) -> Option<Offer<'_>> {
        Some(Offer {
            revision: self.revision?,
            qty: self.qty?,
            value_minor: self.value_minor?,
            held_because: &self.held_because,
        })
    }
}

/// What is known of the lines whose keys lie in a range.
#[derive(Default)]
pub struct Words {
    overrides: BTreeMap<String, OverrideRow>,
    approvals: BTreeMap<String, Vec<ApprovalRow>>,
    released: BTreeMap<String, ReleasedLine>,
}

impl Words {
    /// Of every line of a business date: keys begin with it.
    pub async fn of_date(db: &mut Db, business_date: &str, now: &str) -> anyhow::Result<Words> {
        // The sign after the slash that follows the date.
        Words::read(db, &format!("{business_date}/"), &format!("{business_date}0"), now).await
    }

    pub async fn of_line(db: &mut Db, line_key: &str, now: &str) -> anyhow::Result<Words> {
        Words::read(db, line_key, &format!("{line_key}\u{1}"), now).await
    }

    async fn read(db: &mut Db, from: &str, to: &str, now: &str) -> anyhow::Result<Words> {
        let overrides: Vec<OverrideRow> = db::query_as(
            "SELECT override_id, line_key, old_qty, qty, actor, at, reason, expires_at, cap_qty, \
             against_terms FROM override o WHERE line_key >= $1 AND line_key < $2 AND override_id = \
             (SELECT max(n.override_id) FROM override n WHERE n.line_key = o.line_key)",
        )
        .bind(from)
        .bind(to)
        .fetch_all(db)
        .await
        .context("reading overrides")?;
        let said: Vec<ApprovalRow> = db::query_as(
            "SELECT approval_id, line_key, verdict, revision, qty, value_minor, held_because, actor, \
             at, reason, expires_at FROM approval WHERE line_key >= $1 AND line_key < $2 \
             ORDER BY line_key, approval_id",
        )
        .bind(from)
        .bind(to)
        .fetch_all(db)
        .await
        .context("reading approvals")?;
        let released = newest_revisions(db, from, to).await?;
        let counts = |expires_at: &Option<String>| {
            expires_at.as_deref().is_none_or(|expires_at| expires_at > now)
        };
        let mut approvals: BTreeMap<String, Vec<ApprovalRow>> = BTreeMap::new();
        for row in said {
            // The newest word of a person on an offer takes the place of what they said before.
            let of_line = approvals.entry(row.line_key.clone()).or_default();
            of_line
                .retain(|old| !(same_person(&old.actor, &row.actor) && old.offer() == row.offer()));
            if row.verdict == "approve" && counts(&row.expires_at) {
                of_line.push(row);
            }
        }
        Ok(Words {
            // An older override does not come back when a newer one expires.
            overrides: overrides
                .into_iter()
                .filter(|row| counts(&row.expires_at))
                .map(|row| (row.line_key.clone(), row))
                .collect(),
            approvals,
            released: released.into_iter().map(|line| (line.line_key.clone(), line)).collect(),
        })
    }

    /// The override of a line that counts.
    pub fn amended(&self, line_key: &str) -> Option<&OverrideRow> {
        self.overrides.get(line_key)
    }

    /// The newest revision of a line that was released.
    pub fn released(&self, line_key: &str) -> Option<&ReleasedLine> {
        self.released.get(line_key)
    }

    pub fn all_released(&self) -> impl Iterator<Item = &ReleasedLine> {
        self.released.values()
    }

    /// Who approves exactly this offer, each once.
    pub fn approvers(&self, line_key: &str, offer: &Offer) -> Vec<&str> {
        let rows = self.approvals.get(line_key).into_iter().flatten();
        rows.filter(|row| row.offer().as_ref() == Some(offer)).map(|row| &*row.actor).collect()
    }

    /// What all of it comes to for one line; `line` is `None` where the plan does not have it.
    pub fn judge<'a>(
        &'a self,
        line_key: &str,
        line: Option<&'a PlanLine>,
        rules: &ReleaseRules,
    ) -> anyhow::Result<Judgement<'a>> {
        let planned = line.map(PlanLine::planned);
        let last = self.released(line_key).map(ReleasedLine::last).transpose()?;
        let amended = self.amended(line_key).map(OverrideRow::amended);
        let approvals: Vec<Approval> = self
            .approvals
            .get(line_key)
            .into_iter()
            .flatten()
            .filter_map(|row| Some(Approval { person: &row.actor, offer: row.offer()? }))
            .collect();
        Ok(judge(planned.as_ref(), last.as_ref(), amended.as_ref(), &approvals, rules))
    }
}

/// A new override.
pub struct NewOverride<'a> {
    pub line_key: &'a str,
    /// Smallest units.
    pub old_qty: i64,
    pub qty: i64,
    pub reason: &'a str,
    /// `None`: never.
    pub expires_days: Option<u32>,
    pub cap_qty: Option<i64>,
    pub against_terms: &'a str,
}

pub async fn insert_override(db: &mut Db, by: &By, new: &NewOverride<'_>) -> sqlx::Result<i64> {
    db::query_scalar(
        "INSERT INTO override (line_key, old_qty, qty, actor, role, at, reason, expires_at, cap_qty, \
         against_terms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING override_id",
    )
    .bind(new.line_key)
    .bind(new.old_qty)
    .bind(new.qty)
    .bind(&by.actor.name)
    .bind(by.actor.role.as_str())
    .bind(by.stamp())
    .bind(new.reason)
    .bind(new.expires_days.map(|days| by.expires(days)))
    .bind(new.cap_qty)
    .bind(new.against_terms)
    .fetch_one(db)
    .await
}

/// A yes to an offer, or its withdrawal.
pub struct NewApproval<'a> {
    pub line_key: &'a str,
    pub approve: bool,
    pub offer: &'a Offer<'a>,
    pub currency: &'a str,
    pub old_state: &'a str,
    pub new_state: &'a str,
    pub reason: &'a str,
    pub expires_days: u32,
}

pub async fn insert_approval(db: &mut Db, by: &By, new: &NewApproval<'_>) -> sqlx::Result<i64> {
    db::query_scalar(
        "INSERT INTO approval (line_key, verdict, revision, qty, value_minor, currency, held_because, \
         old_state, new_state, actor, role, at, reason, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) RETURNING approval_id",
    )
    .bind(new.line_key)
    .bind(if new.approve { "approve" } else { "withdraw" })
    .bind(new.offer.revision)
    .bind(new.offer.qty)
    .bind(new.offer.value_minor)
    .bind(new.currency)
    .bind(new.offer.held_because)
    .bind(new.old_state)
    .bind(new.new_state)
    .bind(&by.actor.name)
    .bind(by.actor.role.as_str())
    .bind(by.stamp())
    .bind(new.reason)
    .bind(by.expires(new.expires_days))
    .fetch_one(db)
    .await
}
