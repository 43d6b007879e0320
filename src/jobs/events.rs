//! Events that a planner knows of and no calendar does: checked, then stored as rows of
//! `calendar_event`, which the next night reads.

use granary_models::calendar::Day;
use serde::Serialize;

use crate::config::{EVENT_KINDS, Exit, Refused};
use crate::sources::nearest;
use crate::store::Store;
use crate::store::events::{EventRow, Known};

/// Longest days of lead and lag that the table takes.
const AROUND_DAYS_MAX: i32 = 60;
/// A year and a day: what lasts longer is no event.
const EVENT_DAYS_MAX: i32 = 366;

/// What a planner says. Empty regions mean everywhere; no items and no categories mean all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// What recurs, such as `world-cup`: effects are learned by it.
    pub name: String,
    /// The id of this occurrence; without one, the name and the first day.
    pub event_id: Option<String>,
    /// One of the kinds of `calendar_event`.
    pub class: String,
    pub from: Day,
    pub to: Day,
    pub regions: Vec<String>,
    pub items: Vec<String>,
    pub categories: Vec<String>,
    pub lead_days: i32,
    pub lag_days: i32,
}

/// What was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    pub event_id: String,
    pub rows: usize,
    /// Rows that the event had before.
    pub replaced: u64,
}

/// An event with all its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub event_id: String,
    pub name: String,
    pub class: String,
    pub from: Day,
    pub to: Day,
    pub lead_days: i32,
    pub lag_days: i32,
    pub regions: Vec<String>,
    pub categories: Vec<String>,
    pub items: Vec<String>,
    pub suppliers: Vec<String>,
}

/// Stores an event; the same one again changes nothing.
///
/// # Errors
/// Usage, with near names, where a name, a class, a day or a number of days cannot be; the database.
pub async fn add(store: &Store, wanted: &Wanted) -> anyhow::Result<Added> {
    let known = store.names_for_events().await?;
    check(wanted, &known)?;
    let given = wanted.event_id.clone();
    let event_id = given.unwrap_or_else(|| format!("{}-{}", wanted.name, wanted.from));
    let before = store.events().await?;
    if let Some(other) = before.iter().find(|row| row.event_id == event_id)
        && (other.name != wanted.name || !other.supplier_id.is_empty())
    {
        return Err(usage(format!(
            "the id {event_id} is another event, {} from {} to {}; give --id or remove it",
            other.name, other.starts_on, other.ends_on
        )));
    }
    let rows = rows(wanted, &event_id);
    let replaced = store.replace_event(&event_id, &rows).await?;
    Ok(Added { event_id, rows: rows.len(), replaced })
}

/// Removes an event.
///
/// # Errors
/// Usage, with a near id, where there is none of this id; the database.
pub async fn remove(store: &Store, event_id: &str) -> anyhow::Result<u64> {
    let removed = store.remove_event(event_id).await?;
    if removed == 0 {
        let events = store.events().await?;
        let near = did_you_mean(event_id, events.iter().map(|row| row.event_id.as_str()));
        return Err(usage(format!("there is no event {event_id:?}{near}")));
    }
    Ok(removed)
}

/// Events in order of time; only those of `class` where one is given.
///
/// # Errors
/// A class that is none; the database.
pub async fn list(store: &Store, class: Option<&str>) -> anyhow::Result<Vec<Listed>> {
    if let Some(class) = class {
        check_class(class)?;
    }
    let mut rows = store.events().await?;
    rows.retain(|row| class.is_none_or(|class| class == row.kind));
    let mut listed: Vec<Listed> = Vec::new();
    for row in rows {
        let EventRow { event_id, name, kind: class, starts_on: from, ends_on: to, .. } = row;
        let (lead_days, lag_days) = (row.lead_days, row.lag_days);
        let same = listed.last_mut().filter(|last| {
            let days = (last.from, last.to, last.lead_days, last.lag_days);
            last.event_id == event_id
                && (&last.name, &last.class) == (&name, &class)
                && days == (from, to, lead_days, lag_days)
        });
        let empty = || Listed {
            event_id,
            name,
            class,
            from,
            to,
            lead_days,
            lag_days,
            regions: Vec::new(),
            categories: Vec::new(),
            items: Vec::new(),
            suppliers: Vec::new(),
        };
        let event = match same {
            Some(same) => same,
            None => {
                listed.push(empty());
                let Some(last) = listed.last_mut() else { continue };
                last
            }
        };
        put(&mut event.regions, row.region);
        put(&mut event.categories, row.category);
        put(&mut event.items, row.item_id);
        put(&mut event.suppliers, row.supplier_id);
    }
    Ok(listed)
}

fn put(names: &mut Vec<String>, name: String) {
    if !name.is_empty() && !names.contains(&name) {
        names.push(name);
    }
}

/// Each region with each category and each item.
fn rows(wanted: &Wanted, event_id: &str) -> Vec<EventRow> {
    let everywhere = [String::new()];
    let regions = if wanted.regions.is_empty() { &everywhere[..] } else { &wanted.regions };
    let all = wanted.items.is_empty() && wanted.categories.is_empty();
    let mut touched: Vec<(&str, &str)> = Vec::new();
    touched.extend(wanted.categories.iter().map(|category| (category.as_str(), "")));
    touched.extend(wanted.items.iter().map(|item| ("", item.as_str())));
    if all {
        touched.push(("", ""));
    }
    let mut rows = Vec::new();
    for region in regions {
        for &(category, item_id) in &touched {
            let row = EventRow {
                event_id: event_id.to_owned(),
                name: wanted.name.clone(),
                kind: wanted.class.clone(),
                region: region.clone(),
                category: category.to_owned(),
                supplier_id: String::new(),
                item_id: item_id.to_owned(),
                starts_on: wanted.from,
                ends_on: wanted.to,
                lead_days: wanted.lead_days,
                lag_days: wanted.lag_days,
            };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows
}

fn usage(message: String) -> anyhow::Error {
    Refused::new(Exit::Usage, message).into()
}

fn did_you_mean<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = nearest(wanted, known);
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

fn check_class(class: &str) -> anyhow::Result<()> {
    if EVENT_KINDS.contains(&class) {
        return Ok(());
    }
    let near = did_you_mean(class, EVENT_KINDS.iter().copied());
    let all = EVENT_KINDS.join(", ");
    Err(usage(format!("{class:?} is no class of events{near} (want one of {all})")))
}

fn check(wanted: &Wanted, known: &Known) -> anyhow::Result<()> {
    for (what, text) in
        [("name", Some(&wanted.name)), ("id", wanted.event_id.as_ref())].map(|(w, t)| (w, t))
    {
        let Some(text) = text else { continue };
        let odd = text.trim() != text || text.is_empty() || text.len() > 200;
        if odd || text.chars().any(|sign| sign.is_control() || sign.is_whitespace()) {
            let want = "want one word of at most 200 bytes, such as world-cup";
            return Err(usage(format!("the {what} {text:?} cannot be: {want}")));
        }
    }
    check_class(&wanted.class)?;
    if wanted.class == "shutdown" {
        let message = "a shutdown is of a supplier or a place: import it as calendar_event";
        return Err(usage(message.to_owned()));
    }
    let days = wanted.to - wanted.from + 1;
    if !(1..=EVENT_DAYS_MAX).contains(&days) {
        return Err(usage(format!(
            "an event from {} to {} cannot be: want 1 to {EVENT_DAYS_MAX} days",
            wanted.from, wanted.to
        )));
    }
    for (what, days) in [("lead", wanted.lead_days), ("lag", wanted.lag_days)] {
        if !(0..=AROUND_DAYS_MAX).contains(&days) {
            return Err(usage(format!("--{what} is {days}: want 0 to {AROUND_DAYS_MAX} days")));
        }
    }
    for item in &wanted.items {
        one_of("item", item, &known.items)?;
    }
    for category in &wanted.categories {
        one_of("category", category, &known.categories)?;
    }
    for region in &wanted.regions {
        // A region stands for all that begin with it, as in every calendar.
        let found = known.regions.iter().any(|place| place.starts_with(region.as_str()));
        if region.is_empty() || !found {
            one_of("region of any location", region, &known.regions)?;
        }
    }
    Ok(())
}

fn one_of(what: &str, name: &str, known: &[String]) -> anyhow::Result<()> {
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let near = did_you_mean(name, known.iter().map(String::as_str));
    Err(usage(format!("{name:?} is no {what}{near}")))
}
