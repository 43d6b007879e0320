//! What the reading commands share: which run, and what to say when there is none.

use clap::Args;
use granary_models::calendar::Day;
use granary_models::finding::Code;

use crate::config::{Exit, Refused};
use crate::store::db::Db;
use crate::store::read::runs::{self, Run, RunChoice};

/// Which plan. Without any of these: the newest published one.
#[derive(Args, Clone, Default)]
pub struct RunArgs {
    /// Plan of this job.
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Plan of this business date.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<Day>,
    /// Exactly this run, for instance `nightly@2025-10-20!held`.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["job", "date"])]
    pub run: Option<String>,
}

impl RunArgs {
    fn choice(&self) -> RunChoice {
        RunChoice { run_id: self.run.clone(), job: self.job.clone(), date: self.date }
    }

    pub async fn find(&self, db: &mut Db) -> anyhow::Result<Run> {
        if let Some(run) = runs::find(db, &self.choice()).await? {
            return Ok(run);
        }
        let nothing_asked = self.job.is_none() && self.date.is_none() && self.run.is_none();
        let message = if nothing_asked {
            "no plan yet: `granary demo` makes one on a demo retailer, `granary import` and then \
             `granary run JOB` make one from your files"
                .to_owned()
        } else {
            let known: Vec<String> = runs::newest_per_job(db)
                .await?
                .iter()
                .map(|run| format!("{} for {}", run.job, run.business_date))
                .collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            format!("no such plan; the current ones: {known}")
        };
        Err(Refused::new(Exit::Failed, message).into())
    }
}

/// The meaning of a finding's or gate's code; empty when it has none.
pub fn meaning(code: &str) -> &'static str {
    Code::parse(code).map_or("", Code::explain)
}

/// `name (id)`, or the id alone.
pub fn named(id: &str, name: &str) -> String {
    if name.is_empty() || name == id { id.to_owned() } else { format!("{name} ({id})") }
}

/// `; did you mean …?` with the nearest ids, by id or by name.
pub fn hint(wanted: &str, known: &[(String, String)]) -> String {
    const NEAR: f64 = 0.8;
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|(id, name)| {
            let likeness = |text: &str| {
                let text = text.to_lowercase();
                let inside = wanted.chars().count() >= 3 && text.contains(&wanted);
                if inside { 0.95 } else { strsim::jaro_winkler(&wanted, &text) }
            };
            (likeness(id).max(likeness(name)), id.as_str())
        })
        .filter(|&(likeness, _)| likeness >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> = near
        .iter()
        .take(3)
        .map(|&(_, id)| match known.iter().find(|(known_id, _)| known_id == id) {
            Some((_, name)) => named(id, name),
            None => id.to_owned(),
        })
        .collect();
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) }
}
