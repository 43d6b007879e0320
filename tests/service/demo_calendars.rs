//! The shipped holiday calendars against the rules of the holidays and against two public
//! calendars that lie beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use granary_models::calendar::Day;

const COLUMNS: &str =
    "event_id,name,kind,region,category,supplier_id,starts_on,ends_on,lead_days,lag_days";

struct Event {
    event_id: String,
    name: String,
    kind: String,
    region: String,
    starts_on: Day,
    ends_on: Day,
    lead_days: i32,
    lag_days: i32,
}

fn calendar(name: &str) -> Vec<Event> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/calendars").join(name);
    let mut reader = csv::Reader::from_path(&path).expect("the calendar is there");
    let header: Vec<String> = reader.headers().expect("a header").iter().map(Into::into).collect();
    assert_eq!(header.join(","), COLUMNS, "{name}");
    let rows = reader.records().map(|row| row.expect("a row of as many fields as the header"));
    rows.map(|row| Event {
        event_id: row[0].to_owned(),
        name: row[1].to_owned(),
        kind: row[2].to_owned(),
        region: row[3].to_owned(),
        starts_on: row[6].parse().expect("a date"),
        ends_on: row[7].parse().expect("a date"),
        lead_days: row[8].parse().expect("days"),
        lag_days: row[9].parse().expect("days"),
    })
    .collect()
}

fn public(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/calendars").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent, nothing to compare with", path.display());
        return None;
    }
    Some(path)
}

fn days(events: &[Event], kind: &str) -> BTreeSet<Day> {
    let events = events.iter().filter(|event| event.kind == kind);
    events.flat_map(|event| event.starts_on.until(event.ends_on + 1)).collect()
}

fn ymd(year: i32, month: u32, day: u32) -> Day {
    Day::from_ymd(year, month, day).expect("a date")
}

#[test]
fn rows_are_legal_and_every_recurring_event_comes_every_year() {
    for (name, region) in [("cn.csv", "CN"), ("us.csv", "US")] {
        let events = calendar(name);
        let ids: BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
        assert_eq!(ids.len(), events.len(), "{name}: an event_id twice");
        let mut years: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            let kinds = ["holiday", "festival", "peak", "workday"];
            assert!(kinds.contains(&event.kind.as_str()), "{}: {}", event.event_id, event.kind);
            assert_eq!(event.region, region, "{}", event.event_id);
            assert!(event.starts_on <= event.ends_on, "{}", event.event_id);
            assert!((0..=60).contains(&event.lead_days), "{}", event.event_id);
            assert!((0..=60).contains(&event.lag_days), "{}", event.event_id);
            if event.kind != "workday" {
                *years.entry(event.name.as_str()).or_default() += 1;
            }
        }
        for (event, count) in years {
            let want = match (region, event) {
                // Juneteenth is a federal holiday since 2021, and Taobao began Double-12 in 2011.
                ("US", "juneteenth") => 7,
                ("US", _) => 10,
                (_, "double-12") => 18,
                // The seventieth anniversary of the victory was one day off, in 2015.
                (_, "victory-day") => 1,
                _ => 19,
            };
            assert_eq!(count, want, "{name}: {event} of 2018 to 2027, in China of 2010 to 2028");
        }
    }
}

#[test]
fn chinese_days_off_and_make_up_workdays_are_the_state_councils() {
    let Some(path) = public("china_statutory_2004_2026_lunar.csv") else { return };
    let events = calendar("cn.csv");
    let (off, work) = (days(&events, "holiday"), days(&events, "workday"));
    let mut reader = csv::Reader::from_path(path).expect("the public calendar");
    let mut compared = 0;
    let mut lunar: BTreeMap<Day, (u32, u32)> = BTreeMap::new();
    for row in reader.records() {
        let row = row.expect("a row");
        let date: Day = row[0].parse().expect("a date");
        if date < ymd(2010, 1, 1) {
            continue;
        }
        let works = work.contains(&date);
        let rests = off.contains(&date) || (date.weekday() >= 5 && !works);
        assert_eq!(rests, &row[2] == "1", "{date}: a day off?");
        assert_eq!(works, &row[3] == "1", "{date}: a make-up workday?");
        if &row[9] == "0" {
            lunar.insert(date, (row[7].parse().expect("month"), row[8].parse().expect("day")));
        }
        compared += 1;
    }
    assert_eq!(compared, 6209, "days of 2010 to 2026");
    for event in events.iter().filter(|event| event.starts_on < ymd(2027, 1, 1)) {
        let want = match event.name.as_str() {
            "lantern-festival" => (1, 15),
            "qixi" => (7, 7),
            "double-ninth" => (9, 9),
            _ => continue,
        };
        assert_eq!(lunar.get(&event.starts_on), Some(&want), "{}", event.event_id);
    }
}

/// The `nth` (from 1) of a weekday in a month; 0 is Monday.
fn nth(year: i32, month: u32, weekday: usize, nth: i32) -> Day {
    let first = ymd(year, month, 1);
    first + (weekday as i32 - first.weekday() as i32).rem_euclid(7) + 7 * (nth - 1)
}

#[test]
fn american_holidays_follow_their_rules() {
    let events = calendar("us.csv");
    let mut checked = 0;
    for year in 2018..=2027 {
        let last_monday_of_may = {
            let last = ymd(year, 5, 31);
            last - last.weekday() as i32
        };
        let thanksgiving = nth(year, 11, 3, 4);
        let cases = [
            ("new-years-day", ymd(year, 1, 1)),
            ("mlk-day", nth(year, 1, 0, 3)),
            ("valentines-day", ymd(year, 2, 14)),
            ("presidents-day", nth(year, 2, 0, 3)),
            ("memorial-day", last_monday_of_may),
            ("juneteenth", ymd(year, 6, 19)),
            ("independence-day", ymd(year, 7, 4)),
            ("labor-day", nth(year, 9, 0, 1)),
            ("columbus-day", nth(year, 10, 0, 2)),
            ("halloween", ymd(year, 10, 31)),
            ("veterans-day", ymd(year, 11, 11)),
            ("thanksgiving", thanksgiving),
            ("black-friday", thanksgiving + 1),
            ("cyber-monday", thanksgiving + 4),
            ("christmas", ymd(year, 12, 25)),
        ];
        for (name, date) in cases {
            let id = format!("us-{name}-{year}");
            match events.iter().find(|event| event.event_id == id) {
                Some(event) => assert_eq!((event.starts_on, event.ends_on), (date, date), "{id}"),
                None => assert!(name == "juneteenth" && year < 2021, "{id} is missing"),
            }
            checked += usize::from(events.iter().any(|event| event.event_id == id));
        }
    }
    assert_eq!(checked, events.len(), "an event of the file follows no rule");
}

#[test]
fn american_holidays_are_those_of_the_public_calendar() {
    let Some(path) = public("world_public_holidays_2004_2028.csv") else { return };
    let ours = days(&calendar("us.csv"), "holiday");
    let mut reader = csv::Reader::from_path(path).expect("the public calendar");
    let mut theirs = BTreeSet::new();
    for row in reader.records() {
        let row = row.expect("a row");
        let date: Day = row[1].parse().expect("a date");
        let between = (ymd(2018, 1, 1)..ymd(2028, 1, 1)).contains(&date);
        // The federal offices' substitute days do not move the shops' holidays.
        if &row[0] == "US" && between && !row[2].ends_with("(observed)") {
            theirs.insert(date);
        }
    }
    assert_eq!(ours, theirs);
}

#[test]
fn chinese_shopping_peaks_are_on_their_dates() {
    let events = calendar("cn.csv");
    for year in 2011..=2028 {
        let cases = [
            ("618", ymd(year, 6, 16), ymd(year, 6, 18)),
            ("double-11", ymd(year, 11, 9), ymd(year, 11, 11)),
            ("double-12", ymd(year, 12, 12), ymd(year, 12, 12)),
        ];
        for (name, from, to) in cases {
            let id = format!("cn-{name}-{year}");
            let event = events.iter().find(|event| event.event_id == id).expect(&id);
            assert_eq!((event.starts_on, event.ends_on), (from, to), "{id}");
            assert!(event.lead_days > 0 && event.lag_days > 0, "{id} builds up and dips");
        }
    }
}
