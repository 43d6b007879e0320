//! The calendar as the demo's world lives it: the shipped calendars, tournaments and shutdowns.

use anyhow::Context as _;
use granary_models::calendar::Day;

use super::categories::{Category, HOT_EVENT, STORE_SHARE_OF_PEAK, is_peak};

const SHIPPED: [(&str, &str); 2] = [
    ("data/calendars/cn.csv", include_str!("../../../data/calendars/cn.csv")),
    ("data/calendars/us.csv", include_str!("../../../data/calendars/us.csv")),
];

/// One row of `calendar_event`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub event_id: String,
    pub name: String,
    pub kind: String,
    pub region: String,
    pub category: String,
    pub supplier_id: String,
    pub starts_on: Day,
    pub ends_on: Day,
    pub lead_days: i32,
    pub lag_days: i32,
}

impl Event {
    pub fn covers(&self, region: &str, category: &str) -> bool {
        region.starts_with(&self.region) && (self.category.is_empty() || self.category == category)
    }
}

/// The calendars that come with granary, all years.
pub fn shipped() -> anyhow::Result<Vec<Event>> {
    let mut events = Vec::new();
    for (path, text) in SHIPPED {
        for (index, line) in text.lines().enumerate().skip(1) {
            events.push(parse(line).with_context(|| format!("{path}, line {}", index + 1))?);
        }
    }
    Ok(events)
}

fn parse(line: &str) -> anyhow::Result<Event> {
    let fields: Vec<&str> = line.split(',').collect();
    let [event_id, name, kind, region, category, supplier_id, starts_on, ends_on, lead, lag] =
        fields[..]
    else {
        anyhow::bail!("{} fields, want 10", fields.len());
    };
    Ok(Event {
        event_id: event_id.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
        region: region.to_owned(),
        category: category.to_owned(),
        supplier_id: supplier_id.to_owned(),
        starts_on: starts_on.parse()?,
        ends_on: ends_on.parse()?,
        lead_days: lead.parse()?,
        lag_days: lag.parse()?,
    })
}

/// Tournaments by their first day relative to the business date, and their length. The last one
/// is announced but has not begun.
const TOURNAMENTS: [(i32, i32); 4] = [(-620, 14), (-330, 12), (-150, 14), (9, 12)];

/// Every event with an effect between `start` and `end`: shipped holidays and the tournaments that
/// a planner typed in for the categories concerned.
pub fn between(
    start: Day,
    end: Day,
    business_date: Day,
    categories: &[Category],
) -> anyhow::Result<Vec<Event>> {
    let mut events = shipped()?;
    for (offset, length) in TOURNAMENTS {
        let starts_on = business_date + offset;
        for category in categories.iter().filter(|category| category.hot > 0.0) {
            events.push(Event {
                event_id: format!("{HOT_EVENT}-{starts_on}"),
                name: HOT_EVENT.to_owned(),
                kind: "hot".to_owned(),
                region: String::new(),
                category: category.name.to_owned(),
                supplier_id: String::new(),
                starts_on,
                ends_on: starts_on + (length - 1),
                lead_days: 2,
                lag_days: 3,
            });
        }
    }
    events.retain(|e| e.ends_on + e.lag_days >= start && e.starts_on - e.lead_days <= end);
    Ok(events)
}

/// The weeks around a Spring Festival in which a supplier ships nothing.
pub fn shutdowns(events: &[Event], supplier_id: &str, days_before: i32) -> Vec<Event> {
    let feasts = events.iter().filter(|event| event.name == "spring-festival");
    feasts
        .map(|feast| Event {
            event_id: format!(
                "shutdown-{supplier_id}-{}",
                &feast.event_id[feast.event_id.len() - 4..]
            ),
            name: "spring-festival-shutdown".to_owned(),
            kind: "shutdown".to_owned(),
            supplier_id: supplier_id.to_owned(),
            starts_on: feast.starts_on - days_before,
            ends_on: feast.ends_on + 5,
            lead_days: 0,
            lag_days: 0,
            ..feast.clone()
        })
        .collect()
}

/// Log effect of the week, the year and the events on one category at one kind of place.
pub fn log_profile(
    category: &Category,
    region: &str,
    online: bool,
    events: &[Event],
    start: Day,
    len: usize,
) -> Vec<f64> {
    let mut day_off: Vec<Option<bool>> = vec![None; len];
    let mut effect = vec![0.0; len];
    for event in events.iter().filter(|event| event.covers(region, category.name)) {
        let window = clip(event.starts_on - start, event.ends_on - start + 1, len);
        match event.kind.as_str() {
            "workday" => window.for_each(|t| day_off[t] = Some(false)),
            "shutdown" => {}
            kind => {
                if kind == "holiday" {
                    window.for_each(|t| day_off[t] = day_off[t].or(Some(true)));
                }
                add_event(&mut effect, category, online, event, start);
            }
        }
    }
    for (t, effect) in effect.iter_mut().enumerate() {
        let date = start + t as i32;
        // A make-up workday is a Sunday only by name, a holiday a Sunday on any day.
        let weekday = match day_off[t] {
            Some(false) => 2,
            Some(true) => 6,
            None => date.weekday(),
        };
        *effect += category.weekday_effect(weekday) + category.annual_effect(date.day_of_year());
    }
    effect
}

fn add_event(effect: &mut [f64], category: &Category, online: bool, event: &Event, start: Day) {
    let share = if is_peak(&event.name) && !online { STORE_SHARE_OF_PEAK } else { 1.0 };
    let response = category.response(&event.name);
    let (first, after) = (event.starts_on - start, event.ends_on - start + 1);
    let len = effect.len();
    for t in clip(first, after, len) {
        effect[t] += share * response.on_day;
    }
    for t in clip(first - event.lead_days, first, len) {
        let nearness = 1.0 - f64::from(first - t as i32 - 1) / f64::from(event.lead_days);
        effect[t] += share * response.build_up * nearness;
    }
    for t in clip(after, after + event.lag_days, len) {
        let nearness = 1.0 - f64::from(t as i32 - after) / f64::from(event.lag_days);
        effect[t] += share * response.after * nearness;
    }
}

fn clip(from: i32, to: i32, len: usize) -> std::ops::Range<usize> {
    let from = from.clamp(0, len as i32) as usize;
    from..(to.clamp(0, len as i32) as usize).max(from)
}

/// How many open days a supplier has among the `days` that begin with day `t`.
#[derive(Clone, Debug, Default)]
pub struct Closures {
    closed: Vec<bool>,
}

impl Closures {
    pub fn new(shutdowns: &[Event], start: Day, len: usize) -> Closures {
        let mut closed = vec![false; len];
        for event in shutdowns {
            clip(event.starts_on - start, event.ends_on - start + 1, len)
                .for_each(|t| closed[t] = true);
        }
        Closures { closed }
    }

    /// The day on which work of `lead_days` open days, begun after day `t`, is done.
    pub fn done(&self, t: i32, lead_days: i32) -> i32 {
        let mut day = t;
        let mut left = lead_days;
        while left > 0 {
            day += 1;
            if !self.closed.get(day as usize).copied().unwrap_or(false) {
                left -= 1;
            }
        }
        day
    }
}
