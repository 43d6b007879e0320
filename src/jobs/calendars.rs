//! Calendars that come with granary: what `data/calendars/` says, as rows of `calendar_event`.

mod rule;

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use granary_models::calendar::Day;
use granary_models::forecast::drivers::EventWindow;
use serde::Serialize;

use super::import::{ImportOptions, Report, import_files};
use crate::config::Table;
use crate::sources::Map;
use crate::store::Store;
use rule::When;

/// Years that every calendar covers.
pub const YEARS: std::ops::RangeInclusive<i32> = 2010..=2028;

const RULES_HEADER: &str = "name,rule,years,regions,kind,lead_days,lag_days";
const KINDS: [&str; 4] = ["holiday", "festival", "peak", "workday"];

/// China's days off are announced year by year, so its file is the rows themselves.
const CHINA: &str = include_str!("../../data/calendars/cn.csv");

macro_rules! rules {
    ($($code:literal, $file:literal;)*) => {
        const RULES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../data/calendars/rules/", $file)))),*];
    };
}

rules! {
    "AE", "ae.csv"; "AU", "au.csv"; "BR", "br.csv"; "CA", "ca.csv"; "DE", "de.csv"; "EC", "ec.csv";
    "ES", "es.csv"; "FR", "fr.csv"; "GB", "gb.csv"; "HK", "hk.csv"; "ID", "id.csv"; "IN", "in.csv";
    "IT", "it.csv"; "JP", "jp.csv"; "KR", "kr.csv"; "MX", "mx.csv"; "MY", "my.csv"; "NL", "nl.csv";
    "PH", "ph.csv"; "PL", "pl.csv"; "RU", "ru.csv"; "SA", "sa.csv"; "SG", "sg.csv"; "TH", "th.csv";
    "TR", "tr.csv"; "TW", "tw.csv"; "US", "us.csv"; "VN", "vn.csv"; "ZA", "za.csv";
}

/// One row of `calendar_event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CalendarRow {
    pub event_id: String,
    pub name: String,
    pub kind: String,
    pub region: String,
    pub starts_on: Day,
    pub ends_on: Day,
    pub lead_days: i32,
    pub lag_days: i32,
}

/// What a calendar holds and what it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    pub code: &'static str,
    pub country: String,
    pub covers: String,
    pub left_out: String,
    pub estimated: String,
    /// Codes of the states that have a calendar of their own.
    pub states: Vec<String>,
}

/// Every event of a country (`DE`), or of a state with its country's (`DE-BY`), whose days, lead and
/// lag reach into `from..=to`; `None` when there is no such calendar. Rows are in order of time.
pub fn events_of_country(code: &str, from: Day, to: Day) -> Option<Vec<EventWindow>> {
    let reaches = |row: &CalendarRow| {
        row.starts_on - row.lead_days <= to && row.ends_on + row.lag_days >= from
    };
    let rows = all_rows(code).ok()??;
    Some(rows.into_iter().filter(reaches).map(CalendarRow::into_window).collect())
}

/// Codes of the countries of which there is a calendar, ascending.
pub fn countries() -> Vec<&'static str> {
    let rules = RULES.iter().map(|(code, _)| *code);
    let mut codes: Vec<&str> = rules.chain(["CN"]).collect();
    codes.sort_unstable();
    codes
}

/// As [`events_of_country`], the rows that begin in the years `from..=to`.
///
/// # Errors
/// A calendar that cannot be read.
pub fn rows_of_country(
    code: &str,
    from_year: i32,
    to_year: i32,
) -> anyhow::Result<Option<Vec<CalendarRow>>> {
    let begins = |year| Day::from_ymd(year, 1, 1).context("no year of any calendar");
    let (first, after) = (begins(from_year)?, begins(to_year + 1)?);
    let rows = all_rows(code)?;
    let within = |row: &CalendarRow| (first..after).contains(&row.starts_on);
    Ok(rows.map(|rows| rows.into_iter().filter(within).collect()))
}

/// What there is, in order of the codes.
///
/// # Errors
/// A calendar that cannot be read.
pub fn coverage() -> anyhow::Result<Vec<Coverage>> {
    let mut all = vec![Coverage {
        code: "CN",
        country: "China".to_owned(),
        covers: "2010-2028; days off and make-up workdays as the State Council announced them, \
                 festivals of the lunar calendar, 618, Double-11, Double-12."
            .to_owned(),
        left_out: "2027 and 2028 have only what the law gives, without bridges and make-up \
                   workdays."
            .to_owned(),
        estimated: String::new(),
        states: Vec::new(),
    }];
    for &(code, text) in RULES {
        let note = |what: &str| {
            let mark = format!("# {what}: ");
            let line = text.lines().find_map(|line| line.strip_prefix(&*mark));
            line.unwrap_or_default().to_owned()
        };
        let mut states: Vec<String> = Vec::new();
        for line in lines(code)?.unwrap_or_default() {
            states.extend(line.only);
            states.extend(line.but);
        }
        states.sort();
        states.dedup();
        all.push(Coverage {
            code,
            country: note("Country"),
            covers: note("Covers"),
            left_out: note("Left out"),
            estimated: note("Estimated"),
            states,
        });
    }
    all.sort_by_key(|coverage| coverage.code);
    Ok(all)
}

/// Rows as a file of `calendar_event`, which `granary import` takes.
///
/// # Errors
/// None that data can cause.
pub fn as_csv(rows: &[CalendarRow]) -> anyhow::Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "event_id",
        "name",
        "kind",
        "region",
        "starts_on",
        "ends_on",
        "lead_days",
        "lag_days",
    ])?;
    for row in rows {
        csv.write_record([
            &row.event_id,
            &row.name,
            &row.kind,
            &row.region,
            &row.starts_on.to_string(),
            &row.ends_on.to_string(),
            &row.lead_days.to_string(),
            &row.lag_days.to_string(),
        ])?;
    }
    Ok(String::from_utf8(csv.into_inner()?)?)
}

/// Loads rows as an import of a file would, with its books.
///
/// # Errors
/// A temporary file that cannot be written; the database.
pub async fn load(store: &Store, codes: &[String], rows: &[CalendarRow]) -> anyhow::Result<Report> {
    let table = Table::named("calendar_event").context("no table of calendar events")?;
    // One name for the same calendars in every place, and no two processes in one folder.
    let folder = std::env::temp_dir().join(format!("granary-calendar-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let file = folder.join(format!("calendar-{}.csv", codes.join("-")));
    let written = as_csv(rows)
        .and_then(|text| std::fs::write(&file, text).context("cannot write a temporary file"));
    let report = match written {
        Ok(()) => {
            // What we ship is sound, or nothing of it is loaded.
            let options = ImportOptions { reject_limit: Some(0.0), ..ImportOptions::default() };
            import_files(store, table, &[file], &Map::default(), &options, |_| {}).await
        }
        Err(error) => Err(error),
    };
    // What is left in a temporary folder is nobody's loss.
    let _ = std::fs::remove_dir_all(&folder);
    report
}

impl CalendarRow {
    fn into_window(self) -> EventWindow {
        EventWindow {
            name: self.name,
            class: self.kind,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            lead_days: self.lead_days,
            lag_days: self.lag_days,
            ..EventWindow::default()
        }
    }
}

fn all_rows(code: &str) -> anyhow::Result<Option<Vec<CalendarRow>>> {
    let code = code.to_ascii_uppercase();
    let code = code.as_str();
    if code == "CN" {
        return Ok(Some(china().context("data/calendars/cn.csv")?));
    }
    let country = code.split_once('-').map_or(code, |(country, _)| country);
    let Some(lines) = lines(country)? else { return Ok(None) };
    let states = || lines.iter().flat_map(|line| line.only.iter().chain(&line.but));
    if code != country && !states().any(|state| state == code) {
        return Ok(None);
    }
    let applies = |line: &&Line| {
        (line.only.is_empty() || line.only.iter().any(|state| state == code))
            && !line.but.iter().any(|state| state == code)
    };
    let mut rows: Vec<CalendarRow> =
        lines.iter().filter(applies).flat_map(|line| line.rows(code)).collect();
    rows.sort_by(|a, b| (a.starts_on, a.ends_on, &a.name).cmp(&(b.starts_on, b.ends_on, &b.name)));
    rows.dedup_by(|a, b| (a.starts_on, a.ends_on, &a.name) == (b.starts_on, b.ends_on, &b.name));
    name_occurrences(&mut rows);
    Ok(Some(rows))
}

/// `us-christmas-2024`, and with the whole date where the year has more than one.
fn name_occurrences(rows: &mut [CalendarRow]) {
    let stem = |row: &CalendarRow| {
        let date = row.starts_on.to_string();
        format!("{}-{}-{}", row.region.to_ascii_lowercase(), row.name, &date[..4])
    };
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *count.entry(stem(row)).or_default() += 1);
    for row in rows {
        let stem = stem(row);
        let date = row.starts_on.to_string();
        let rest = if count[&stem] > 1 { &date[4..] } else { "" };
        row.event_id = format!("{stem}{rest}");
    }
}

fn china() -> anyhow::Result<Vec<CalendarRow>> {
    let mut rows = Vec::new();
    for record in csv::Reader::from_reader(CHINA.as_bytes()).records() {
        let record = record?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        rows.push(CalendarRow {
            event_id: cell(0).to_owned(),
            name: cell(1).to_owned(),
            kind: cell(2).to_owned(),
            region: cell(3).to_owned(),
            starts_on: cell(6).parse()?,
            ends_on: cell(7).parse()?,
            lead_days: cell(8).parse()?,
            lag_days: cell(9).parse()?,
        });
    }
    Ok(rows)
}

/// One line of a file of rules.
struct Line {
    name: String,
    when: When,
    /// Gregorian years in which the rule holds; empty for all.
    years: Vec<(i32, i32)>,
    /// The only states in which it holds; empty for the country.
    only: Vec<String>,
    /// States of the country in which it does not.
    but: Vec<String>,
    kind: String,
    lead_days: i32,
    lag_days: i32,
}

impl Line {
    fn rows<'a>(&'a self, region: &'a str) -> impl Iterator<Item = CalendarRow> + 'a {
        let windows = match &self.when {
            When::Listed(windows) => windows.clone(),
            When::Yearly(rule) => {
                let holds = |year: &i32| {
                    let within = |&(from, to): &(i32, i32)| (from..=to).contains(year);
                    self.years.is_empty() || self.years.iter().any(within)
                };
                // A year's rule may find a day of the year before or after it.
                let years = *YEARS.start() - 1..=*YEARS.end() + 1;
                years.filter(holds).filter_map(|year| rule.window(year)).collect()
            }
        };
        windows.into_iter().filter(|window| covered(window.0)).map(move |(first, last)| {
            CalendarRow {
                event_id: String::new(),
                name: self.name.clone(),
                kind: self.kind.clone(),
                region: region.to_owned(),
                starts_on: first,
                ends_on: last,
                lead_days: self.lead_days,
                lag_days: self.lag_days,
            }
        })
    }
}

fn covered(day: Day) -> bool {
    use chrono::Datelike;
    YEARS.contains(&day.to_date().year())
}

/// The lines of a country's file; `None` when it has none.
fn lines(country: &str) -> anyhow::Result<Option<Vec<Line>>> {
    let Some((_, text)) = RULES.iter().find(|(code, _)| *code == country) else { return Ok(None) };
    let what = || format!("data/calendars/rules/{}.csv", country.to_ascii_lowercase());
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().with_context(what)?.iter().map(Into::into).collect();
    ensure!(header.join(",") == RULES_HEADER, "{}: want the header {RULES_HEADER}", what());
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.with_context(what)?;
        let at = record.position().map_or(0, csv::Position::line);
        let line = line(country, &record).with_context(|| format!("{}, line {at}", what()))?;
        lines.push(line);
    }
    Ok(Some(lines))
}

fn line(country: &str, record: &csv::StringRecord) -> anyhow::Result<Line> {
    let cell = |at: usize| record.get(at).unwrap_or_default().trim();
    let mut years = Vec::new();
    for range in cell(2).split_whitespace() {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        years.push((from.parse()?, to.parse()?));
    }
    let when = rule::parse(cell(1))?;
    ensure!(
        years.is_empty() || matches!(when, When::Yearly(_)),
        "listed days have their years already"
    );
    let mut words: Vec<&str> = cell(3).split_whitespace().collect();
    let excluded = words.first() == Some(&"but");
    if excluded {
        words.remove(0);
    }
    for word in &words {
        let of_country = word.strip_prefix(country).is_some_and(|rest| rest.starts_with('-'));
        ensure!(of_country, "`{word}` is no state of {country}");
    }
    let states: Vec<String> = words.into_iter().map(str::to_owned).collect();
    let (only, but) = if excluded { (Vec::new(), states) } else { (states, Vec::new()) };
    let kind = cell(4).to_owned();
    ensure!(KINDS.contains(&&*kind), "`{kind}` is none of {}", KINDS.join(", "));
    ensure!(!cell(0).is_empty(), "an event needs a name");
    Ok(Line {
        name: cell(0).to_owned(),
        when,
        years,
        only,
        but,
        kind,
        lead_days: cell(5).parse()?,
        lag_days: cell(6).parse()?,
    })
}
