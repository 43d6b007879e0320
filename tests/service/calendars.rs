//! The calendars that come with granary against the shared ground truth, day by day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use granary::jobs::calendars::{CalendarRow, YEARS, coverage, events_of_country, rows_of_country};
use granary_models::calendar::{Day, lunar};

/// Days of the shared file that our calendars do not have, or have beside it, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    // Amavasya of Ashvin is on 17 October 2028, as the shared file has it for India.
    ("SG", "2028-11-15", "the shared file's estimate of Diwali is a moon late"),
    ("SG", "2028-10-17", "Diwali"),
];

fn public(name: &str) -> Option<csv::Reader<std::fs::File>> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/calendars").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is absent, nothing to compare with", path.display());
        return None;
    }
    Some(csv::Reader::from_path(path).expect("the public calendar"))
}

fn day(text: &str) -> Day {
    text.parse().expect("a date")
}

fn rows(code: &str) -> Vec<CalendarRow> {
    let rows = rows_of_country(code, *YEARS.start(), *YEARS.end()).expect("a sound calendar");
    rows.unwrap_or_else(|| panic!("no calendar of {code}"))
}

fn days<'a>(rows: impl Iterator<Item = &'a CalendarRow>) -> BTreeSet<Day> {
    rows.flat_map(|row| row.starts_on.until(row.ends_on + 1)).collect()
}

/// Region → (date, name), from 2010.
fn world() -> Option<BTreeMap<String, Vec<(Day, String)>>> {
    let mut regions: BTreeMap<String, Vec<(Day, String)>> = BTreeMap::new();
    for record in public("world_public_holidays_2004_2028.csv")?.records() {
        let record = record.expect("a row");
        let date = day(&record[1]);
        if date >= day("2010-01-01") {
            regions.entry(record[0].to_owned()).or_default().push((date, record[2].to_owned()));
        }
    }
    Some(regions)
}

#[test]
fn every_listed_region_has_exactly_the_days_of_the_shared_file() {
    let Some(world) = world() else { return };
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (region, theirs) in &world {
        if region == "CN" {
            continue;
        }
        let year = |day: Day| day.to_string()[..4].to_owned();
        let years: BTreeSet<String> = theirs.iter().map(|(date, _)| year(*date)).collect();
        let excepted: BTreeSet<Day> =
            EXCEPTIONS.iter().filter(|e| e.0 == region).map(|e| day(e.1)).collect();
        let theirs: BTreeSet<Day> = theirs.iter().map(|(date, _)| *date).collect();
        let ours = days(rows(region).iter().filter(|row| row.kind == "holiday"));
        let ours: BTreeSet<Day> =
            ours.into_iter().filter(|day| years.contains(&year(*day))).collect();
        for date in ours.symmetric_difference(&theirs) {
            if !excepted.contains(date) {
                let whose = if ours.contains(date) { "only ours" } else { "only theirs" };
                wrong.push(format!("{region} {date} {whose}"));
            }
        }
        for date in &excepted {
            assert_ne!(ours.contains(date), theirs.contains(date), "{region} {date}: no exception");
        }
        compared += theirs.len();
    }
    assert!(wrong.is_empty(), "{} days differ: {wrong:#?}", wrong.len());
    assert_eq!(
        (world.len(), compared > 7_000),
        (49, true),
        "{compared} days of {} regions",
        world.len()
    );
}

#[test]
fn holidays_that_the_world_shares_have_one_name() {
    let Some(world) = world() else { return };
    let shared = [
        ("New Year's Day", "new-years-day"),
        ("Christmas Day", "christmas"),
        ("Good Friday", "good-friday"),
        ("Easter Monday", "easter-monday"),
        ("Eid al-Fitr", "eid-al-fitr"),
        ("Eid al-Adha", "eid-al-adha"),
        ("Diwali", "diwali"),
        ("Labor Day", "labor-day"),
        ("Ascension Day", "ascension-day"),
    ];
    let mut compared = 0;
    for (region, theirs) in world {
        // Christmas of the Russian church, and the twelve days of which China has its own names.
        if matches!(region.as_str(), "CN" | "RU") {
            continue;
        }
        let ours = rows(&region);
        for (date, name) in theirs {
            let excepted = EXCEPTIONS.iter().any(|e| e.0 == region && day(e.1) == date);
            let wanted =
                shared.iter().filter(|(whole, _)| name.split("; ").any(|one| one == *whole));
            for (_, want) in wanted.filter(|_| !excepted) {
                let mut on =
                    ours.iter().filter(|row| (row.starts_on..=row.ends_on).contains(&date));
                assert!(on.any(|row| row.name == *want), "{region} {date}: {name} is not {want}");
                compared += 1;
            }
        }
    }
    assert!(compared > 2_000, "{compared} names");
}

#[test]
fn every_chinese_day_off_and_make_up_workday_is_the_state_councils() {
    let Some(mut reader) = public("china_statutory_2004_2026_lunar.csv") else { return };
    let ours = rows("CN");
    let named = |date: Day, kind: &str| -> Vec<&str> {
        let on =
            |row: &&CalendarRow| row.kind == kind && (row.starts_on..=row.ends_on).contains(&date);
        ours.iter().filter(on).map(|row| row.name.as_str()).collect()
    };
    let names: BTreeMap<&str, &str> = BTreeMap::from([
        ("New Year's Day", "new-year"),
        ("Spring Festival", "spring-festival"),
        ("Tomb-sweeping Day", "qingming"),
        ("Labour Day", "labour-day"),
        ("Dragon Boat Festival", "dragon-boat"),
        ("Mid-autumn Festival", "mid-autumn"),
        ("National Day", "national-day"),
        ("Anti-Fascist 70th Day", "victory-day"),
    ]);
    let mut compared = 0;
    for record in reader.records() {
        let record = record.expect("a row");
        let date = day(&record[0]);
        if date < day("2010-01-01") {
            continue;
        }
        let (off, works) = (named(date, "holiday"), !named(date, "workday").is_empty());
        let rests = !off.is_empty() || (date.weekday() >= 5 && !works);
        assert_eq!(rests, &record[2] == "1", "{date}: a day off?");
        assert_eq!(works, &record[3] == "1", "{date}: a make-up workday?");
        assert!(off.is_empty() || !works, "{date} is both");
        if &record[2] == "1" && !record[4].is_empty() {
            let want = names.get(&record[4]).unwrap_or_else(|| panic!("{date}: {}", &record[4]));
            // Where two holidays fall together, the days swapped for them are National Day's.
            let both = off.contains(&"national-day") && *want == "mid-autumn";
            assert!(off.contains(want) || both, "{date}: {off:?} is not {want}");
        }
        compared += 1;
    }
    assert_eq!(compared, 6_209, "days of 2010 to 2026");
}

#[test]
fn every_lunar_date_of_the_shared_file_is_ours() {
    let Some(mut reader) = public("china_statutory_2004_2026_lunar.csv") else { return };
    let mut compared = 0;
    for record in reader.records() {
        let record = record.expect("a row");
        let got = lunar(day(&record[0])).expect("inside the table");
        let text = format!("{},{},{},{}", got.year, got.month, got.day, u8::from(got.leap));
        let want: Vec<&str> = (6..10).map(|at| &record[at]).collect();
        assert_eq!(text, want.join(","), "{}", &record[0]);
        compared += 1;
    }
    assert_eq!(compared, 8_401);
}

#[test]
fn rows_are_legal_and_occurrences_have_names_of_their_own() {
    for calendar in coverage().expect("sound calendars") {
        assert!(!calendar.country.is_empty() && !calendar.covers.is_empty(), "{}", calendar.code);
        for code in calendar.states.iter().map(String::as_str).chain([calendar.code]) {
            let rows = rows(code);
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.event_id.as_str()).collect();
            assert_eq!(ids.len(), rows.len(), "{code}: an event_id twice");
            for row in &rows {
                assert_eq!(row.region, code, "{}", row.event_id);
                assert!(row.starts_on <= row.ends_on, "{}", row.event_id);
                assert!((0..=60).contains(&row.lead_days), "{}", row.event_id);
                assert!((0..=60).contains(&row.lag_days), "{}", row.event_id);
            }
            for year in YEARS {
                let year = year.to_string();
                let some = rows.iter().filter(|row| row.starts_on.to_string()[..4] == year);
                assert!(some.count() >= 3, "{code} has almost nothing in {year}");
            }
        }
    }
}

#[test]
fn the_files_that_can_be_imported_agree_with_the_calendars() {
    for (file, code) in [("cn.csv", "CN"), ("us.csv", "US")] {
        let ours: BTreeMap<String, CalendarRow> =
            rows(code).into_iter().map(|row| (row.event_id.clone(), row)).collect();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/calendars").join(file);
        for record in csv::Reader::from_path(path).expect("the file").records() {
            let record = record.expect("a row");
            let row = ours.get(&record[0]).unwrap_or_else(|| panic!("{} is missing", &record[0]));
            let text = format!(
                "{},{},{},{},{},{},{}",
                row.name,
                row.kind,
                row.starts_on,
                row.ends_on,
                row.lead_days,
                row.lag_days,
                row.region
            );
            let want: Vec<&str> = [1, 2, 6, 7, 8, 9, 3].map(|at| &record[at]).to_vec();
            assert_eq!(text, want.join(","), "{}", &record[0]);
        }
    }
}

#[test]
fn windows_reach_into_the_days_asked_for_and_unknown_codes_are_none() {
    let at = |code: &str, from: &str, to: &str| -> Option<Vec<String>> {
        let events = events_of_country(code, day(from), day(to))?;
        Some(events.into_iter().map(|event| event.name).collect())
    };
    // Christmas is expected from 7 December on, and felt until the 30th.
    assert_eq!(at("FR", "2024-12-07", "2024-12-07"), Some(vec!["christmas".to_owned()]));
    assert_eq!(at("FR", "2024-12-06", "2024-12-06"), Some(Vec::new()));
    let state = |code| at(code, "2024-10-31", "2024-10-31").expect("a calendar");
    assert!(state("DE-SN").contains(&"reformation-day".to_owned()));
    assert!(!state("DE-BY").contains(&"reformation-day".to_owned()));
    assert_eq!(at("de-sn", "2024-10-31", "2024-10-31"), Some(state("DE-SN")), "in any case");
    for unknown in ["", "XX", "DE-XX", "CN-SOUTH"] {
        assert_eq!(at(unknown, "2024-01-01", "2024-12-31"), None, "{unknown:?}");
    }
}
