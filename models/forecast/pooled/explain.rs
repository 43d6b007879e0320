//! Which effects act on the days of one series, by part and by event.

use std::ops::Range;
use std::sync::Arc;

use super::features::{Features, Group};
use super::fit::LOG_FACTOR_MAX;
use super::gram::Row;
use super::learn::Learner;
use crate::forecast::split::{PARTS, Part};

/// What each column of the regressors belongs to, found once for a panel.
pub struct Ledger {
    columns: Vec<Entry>,
    /// Names of the events.
    pub events: Vec<Arc<str>>,
}

struct Entry {
    part: Part,
    /// For an event's own column.
    event: Option<u16>,
}

/// Logarithms of the factors that act on one day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DayLogs {
    /// In the order of [`Part`]; the remainder's is 0.
    pub parts: [f64; PARTS],
    /// Events that act and what is theirs of the events' part, by their number.
    pub events: Vec<(u16, f64)>,
}

impl DayLogs {
    /// As a forecast takes them: together no more than the largest factor.
    pub fn limited(&self) -> [f64; PARTS] {
        let sum: f64 = self.parts.iter().sum();
        let share = if sum.abs() > LOG_FACTOR_MAX { LOG_FACTOR_MAX / sum.abs() } else { 1.0 };
        self.parts.map(|log| share * log)
    }

    pub fn of(&self, part: Part) -> f64 {
        self.parts[part as usize]
    }
}

impl Ledger {
    pub fn new(features: &Features) -> Ledger {
        let mut events: Vec<Arc<str>> = Vec::new();
        let columns = (0..features.columns())
            .map(|column| {
                let part = match Features::group(column) {
                    Group::Season => Part::Season,
                    Group::Events => Part::Events,
                    Group::Promo => Part::Promo,
                    Group::Price => Part::Price,
                    Group::Weather => Part::Weather,
                };
                let name = features.name(column);
                let event = event_of(&name).map(|event| {
                    let known = events.iter().position(|known| **known == *event);
                    known.unwrap_or_else(|| {
                        events.push(event.into());
                        events.len() - 1
                    }) as u16
                });
                Entry { part, event }
            })
            .collect();
        Ledger { columns, events }
    }

    fn part(&self, column: u16) -> Part {
        self.columns[usize::from(column)].part
    }

    fn event(&self, column: u16) -> Option<u16> {
        self.columns[usize::from(column)].event
    }
}

/// The event of a column's name such as `event:spring-festival:before`; none for what all events or
/// all of a class share.
fn event_of(column: &str) -> Option<&str> {
    let (event, _) = column.strip_prefix("event:")?.rsplit_once(':')?;
    (event != "any").then_some(event)
}

impl Learner<'_> {
    /// The logarithms of the factors on `days` of series `i`, whose effects are `beta`. What events
    /// share is divided among those that act, by how much they do.
    pub fn day_logs(
        &self,
        ledger: &Ledger,
        i: usize,
        beta: &[f64],
        days: Range<usize>,
    ) -> Vec<DayLogs> {
        let series = self.features.series(i);
        let mut row = Row::new();
        days.map(|t| {
            series.row(t, &mut row);
            let mut logs = DayLogs::default();
            let mut acting: Vec<(u16, f64, f64)> = Vec::new();
            for &(column, value) in &row {
                let log = beta[usize::from(column)] * f64::from(value);
                logs.parts[ledger.part(column) as usize] += log;
                if let Some(event) = ledger.event(column) {
                    match acting.iter_mut().find(|(known, ..)| *known == event) {
                        Some((_, weight, own)) => {
                            *weight += f64::from(value).abs();
                            *own += log;
                        }
                        None => acting.push((event, f64::from(value).abs(), log)),
                    }
                }
            }
            let unlike = series.unlike_its_weekday(t, beta);
            logs.parts[Part::Season as usize] -= unlike;
            logs.parts[Part::Events as usize] += unlike;
            let weights: f64 = acting.iter().map(|(_, weight, _)| weight).sum();
            let owned: f64 = acting.iter().map(|(.., own)| own).sum();
            let shared = logs.of(Part::Events) - owned;
            logs.events = acting
                .iter()
                .map(|&(event, weight, own)| (event, own + shared * weight / weights))
                .collect();
            logs
        })
        .collect()
    }
}
