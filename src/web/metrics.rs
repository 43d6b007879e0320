//! The service's figures in the text format of Prometheus.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::{App, Failure, reading};
use crate::config::clock;
use crate::jobs::due;
use crate::store::read::runs;

/// Attempts that are counted; older ones are history.
const ATTEMPTS_COUNTED: i64 = 1000;

/// One family: its name, kind, what it is, and its samples as `{labels} value`.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<(String, f64)>,
}

impl Family {
    fn new(name: &'static str, help: &'static str) -> Family {
        Family { name, help, samples: Vec::new() }
    }

    fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        self.samples.push((labels, value));
    }

    fn write(&self, out: &mut String) {
        if self.samples.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP {} {}\n# TYPE {} gauge", self.name, self.help, self.name);
        for (labels, value) in &self.samples {
            let _ = writeln!(out, "{}{labels} {value}", self.name);
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Seconds since 1970 of a date's first instant, as Prometheus counts time.
fn date_seconds(date: &str) -> Option<f64> {
    let day: granary_models::calendar::Day = date.parse().ok()?;
    Some(f64::from(day.0) * 86_400.0)
}

fn seconds(stamp: &str) -> Option<f64> {
    Some(stamp.parse::<DateTime<Utc>>().ok()?.timestamp() as f64)
}

pub async fn metrics(State(app): State<App>) -> Result<Response, Failure> {
    let text = reading(&app, async move |app, mut db| {
        let mut success = Family::new(
            "granary_job_last_success_business_date_seconds",
            "Newest business date with a published plan, as seconds since 1970 of its midnight.",
        );
        let mut finished = Family::new(
            "granary_job_last_success_finished_seconds",
            "When that plan was published.",
        );
        let mut outcome = Family::new(
            "granary_job_last_outcome",
            "1 for the outcome of the job's newest attempt.",
        );
        let mut duration =
            Family::new("granary_job_last_duration_seconds", "How long the newest attempt took.");
        let mut due = Family::new("granary_job_due", "1 while a business date waits for its run.");
        let mut attempts =
            Family::new("granary_job_attempts", "The job's last attempts by outcome.");
        let mut counts =
            Family::new("granary_plan_count", "Series, lines and findings of the current plan.");
        for job in app.jobs.values() {
            let status = due::status(&mut db, job, clock::now()).await?;
            let name = [("job", job.name.as_str())];
            if let Some(last) = &status.last_success {
                date_seconds(&last.business_date).into_iter().for_each(|at| success.add(&name, at));
                let at = last.finished_at.as_deref().and_then(seconds);
                at.into_iter().for_each(|at| finished.add(&name, at));
            }
            if let Some(last) = &status.last {
                outcome.add(&[name[0], ("outcome", &last.outcome)], 1.0);
            }
            status.last_seconds.into_iter().for_each(|took| duration.add(&name, took as f64));
            due.add(&name, f64::from(u8::from(status.due_now.is_some())));
            let mut by_outcome = std::collections::BTreeMap::<String, u32>::new();
            for attempt in runs::last_attempts(&mut db, &job.name, ATTEMPTS_COUNTED).await? {
                *by_outcome.entry(attempt.outcome).or_default() += 1;
            }
            for (of, number) in by_outcome {
                attempts.add(&[name[0], ("outcome", &of)], f64::from(number));
            }
        }
        for run in runs::newest_per_job(&mut db).await? {
            for (what, number) in run.counts() {
                let labels = [("job", run.job.as_str()), ("what", what.as_str())];
                number.as_f64().into_iter().for_each(|number| counts.add(&labels, number));
            }
        }
        let mut build = Family::new("granary_build_info", "The version at work.");
        build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let mut text = String::new();
        for family in [build, success, finished, outcome, duration, due, attempts, counts] {
            family.write(&mut text);
        }
        Ok(text)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_labels_that_cannot_break_out() {
        let mut family = Family::new("granary_x", "What it is.");
        family.add(&[("job", "a\"b\\c\nd")], 2.5);
        family.add(&[], 1.0);
        let mut text = String::new();
        family.write(&mut text);
        let wanted = "# HELP granary_x What it is.\n# TYPE granary_x gauge\n\
                      granary_x{job=\"a\\\"b\\\\c\\nd\"} 2.5\ngranary_x 1\n";
        assert_eq!(text, wanted);
        assert_eq!(date_seconds("1970-01-02"), Some(86_400.0));
    }
}
