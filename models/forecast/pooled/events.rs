//! Events as regressors: which day of a region lies before, in or after which window.

use std::collections::BTreeMap;

use super::super::drivers::{EventWindow, SeriesMeta};
use super::columns::{COLUMNS_PER_EVENT, EVENT_EFFECTS, EVENTS};
use crate::calendar::Day;

const SUNDAY: usize = 6;
/// A workday in the middle of the week, which is what a make-up workday is like.
const MIDWEEK: usize = 2;
const REACH_DAYS_MAX: i32 = 60;
/// Days before or after a window from which their course has a shape.
const BEND_DAYS_MIN: i32 = 4;

/// Whom a window touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    All,
    Category(u32),
    /// Index into [`EventTable::items`].
    Items(u32),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    column: u16,
    scope: Scope,
    value: f32,
}

/// The events of one region by day.
#[derive(Clone)]
pub struct EventTable {
    days: Vec<Vec<Entry>>,
    /// Weekday that a day of this region is like, where it is not its own.
    like: Vec<Option<u8>>,
    /// Items of windows that are for single items, ascending.
    items: Vec<Vec<u32>>,
}

impl EventTable {
    /// Days `first .. first + days`. `names` numbers the events.
    pub fn new(
        windows: &[EventWindow],
        names: &BTreeMap<&str, usize>,
        categories: &BTreeMap<&str, u32>,
        first: Day,
        days: usize,
    ) -> EventTable {
        let mut table =
            EventTable { days: vec![Vec::new(); days], like: vec![None; days], items: Vec::new() };
        for window in windows {
            let scope = if !window.items.is_empty() {
                let mut items = window.items.clone();
                items.sort_unstable();
                table.items.push(items);
                Scope::Items(table.items.len() as u32 - 1)
            } else if window.category.is_empty() {
                Scope::All
            } else if let Some(&category) = categories.get(window.category.as_str()) {
                Scope::Category(category)
            } else {
                continue;
            };
            let column = EVENTS + COLUMNS_PER_EVENT * names[window.name.as_str()];
            table.add(window, scope, column, first);
        }
        table
    }

    /// The effect of the days before a window grows linearly to its full size on the last of them,
    /// and that of the days after it fades from the first on.
    fn add(&mut self, window: &EventWindow, scope: Scope, column: usize, first: Day) {
        let lead = window.lead_days.clamp(0, REACH_DAYS_MAX);
        let lag = window.lag_days.clamp(0, REACH_DAYS_MAX);
        let from = (window.starts_on + -lead).max(first).0;
        let to = (window.ends_on + lag).0.min(first.0 + self.days.len() as i32 - 1);
        for day in from..=to {
            let (before, after) = (window.starts_on.0 - day, day - window.ends_on.0);
            let at = (day - first.0) as usize;
            let (part, value, reach) = if before > 0 {
                (0, 1.0 - (before - 1) as f32 / lead as f32, lead)
            } else if after > 0 {
                (2, 1.0 - (after - 1) as f32 / lag as f32, lag)
            } else {
                if scope == Scope::All {
                    self.like[at] = like(self.like[at], &window.class);
                }
                (1, 1.0, 0)
            };
            self.put_entry(at, Entry { column: (column + part) as u16, scope, value });
            // Most in the middle, nothing on the nearest day, whose effect stays its own.
            let bend = 4.0 * value * (1.0 - value);
            if reach >= BEND_DAYS_MIN && bend > 0.0 {
                let column = (column + EVENT_EFFECTS + usize::from(part == 2)) as u16;
                self.put_entry(at, Entry { column, scope, value: bend });
            }
        }
    }

    /// Where windows of one event overlap the larger value holds.
    fn put_entry(&mut self, day: usize, entry: Entry) {
        let entries = &mut self.days[day];
        match entries.iter_mut().find(|e| e.column == entry.column && e.scope == entry.scope) {
            Some(known) => known.value = known.value.max(entry.value),
            None => entries.push(entry),
        }
    }

    /// The weekday that a day is like: a public holiday is a Sunday on any day, and a make-up
    /// workday a Sunday only by name. What a feast does beyond that is its event's effect.
    pub fn weekday(&self, day: usize, weekday: usize) -> usize {
        self.like.get(day).copied().flatten().map_or(weekday, usize::from)
    }

    /// Adds the columns of day `day` that are not zero for a series.
    pub fn put(&self, day: usize, meta: &SeriesMeta, row: &mut Vec<(u16, f32)>) {
        let from = row.len();
        for entry in &self.days[day] {
            let touches = match entry.scope {
                Scope::All => true,
                Scope::Category(category) => category == meta.category,
                Scope::Items(items) => self.items[items as usize].binary_search(&meta.item).is_ok(),
            };
            if !touches {
                continue;
            }
            // An event may have a window for all and one for this category on the same day.
            match row[from..].iter_mut().find(|(column, _)| *column == entry.column) {
                Some(known) => known.1 = known.1.max(entry.value),
                None => row.push((entry.column, entry.value)),
            }
        }
    }
}

fn like(known: Option<u8>, class: &str) -> Option<u8> {
    match class {
        "workday" => Some(MIDWEEK as u8),
        "holiday" => known.or(Some(SUNDAY as u8)),
        _ => known,
    }
}

/// Per event the first days of its occurrences, whatever the region, each once.
pub fn occurrences<'a>(
    windows: impl Iterator<Item = &'a EventWindow>,
    names: &BTreeMap<&str, usize>,
) -> Vec<Vec<(Day, Day)>> {
    let mut of = vec![Vec::new(); names.len()];
    for window in windows {
        of[names[window.name.as_str()]].push((window.starts_on, window.ends_on));
    }
    for spans in &mut of {
        spans.sort_unstable();
        spans.dedup_by_key(|span| span.0);
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(items: &[u32], category: &str, class: &str) -> EventWindow {
        EventWindow {
            name: "cup".to_owned(),
            class: class.to_owned(),
            items: items.to_vec(),
            category: category.to_owned(),
            starts_on: Day(104),
            ends_on: Day(105),
            lead_days: 2,
            lag_days: 4,
        }
    }

    /// The (column within the event, value) of a day for item 7 of category 1.
    fn check(window: &EventWindow, day: i32, want: &[(usize, f32)]) {
        let names = BTreeMap::from([("cup", 0)]);
        let categories = BTreeMap::from([("tea", 1), ("rice", 2)]);
        let windows = std::slice::from_ref(window);
        let table = EventTable::new(windows, &names, &categories, Day(100), 20);
        let meta = SeriesMeta { category: 1, item: 7, ..SeriesMeta::default() };
        let mut row = Vec::new();
        table.put((day - 100) as usize, &meta, &mut row);
        let want: Vec<(u16, f32)> = want.iter().map(|&(k, v)| ((EVENTS + k) as u16, v)).collect();
        assert_eq!(row, want, "{window:?} on {day}");
    }

    #[test]
    fn a_window_has_days_before_in_and_after_it() {
        let all = window(&[], "", "hot");
        check(&all, 101, &[]);
        check(&all, 102, &[(0, 0.5)]);
        check(&all, 103, &[(0, 1.0)]);
        check(&all, 104, &[(1, 1.0)]);
        check(&all, 105, &[(1, 1.0)]);
        check(&all, 106, &[(2, 1.0)]);
        check(&all, 108, &[(2, 0.5), (4, 1.0)]);
        check(&all, 109, &[(2, 0.25), (4, 0.75)]);
        check(&all, 110, &[]);
    }

    #[test]
    fn a_window_touches_its_items_and_its_category_only() {
        check(&window(&[9, 7], "", "hot"), 104, &[(1, 1.0)]);
        check(&window(&[9, 8], "", "hot"), 104, &[]);
        check(&window(&[], "tea", "hot"), 104, &[(1, 1.0)]);
        check(&window(&[], "rice", "hot"), 104, &[]);
        check(&window(&[], "wine", "hot"), 104, &[]);
    }

    #[test]
    fn a_holiday_is_like_a_sunday_and_a_make_up_workday_is_not() {
        let day_of = |windows: &[EventWindow]| {
            let names = BTreeMap::from([("cup", 0)]);
            let table = EventTable::new(windows, &names, &BTreeMap::new(), Day(100), 20);
            [table.weekday(3, 1), table.weekday(4, 1)]
        };
        let (holiday, workday) = (window(&[], "", "holiday"), window(&[], "", "workday"));
        assert_eq!(day_of(&[window(&[], "", "hot")]), [1, 1]);
        assert_eq!(day_of(std::slice::from_ref(&holiday)), [1, SUNDAY]);
        assert_eq!(day_of(&[workday.clone(), holiday.clone()]), [1, MIDWEEK]);
        assert_eq!(day_of(&[holiday, workday]), [1, MIDWEEK]);
        assert_eq!(day_of(&[window(&[3], "", "holiday")]), [1, 1]);
    }
}
