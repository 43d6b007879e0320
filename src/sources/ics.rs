//! iCalendar (RFC 5545) as rows of `calendar_event`: one for each occurrence of a VEVENT. An entry
//! that is not understood is a bad row with its reason, at the line where it begins.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use chrono::{Duration, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use granary_models::calendar::Day;

use crate::config::{Problem, RejectCode};

use super::Limits;
use super::chunk::{Cells, Chunk, ChunkReader, TextColumn};
use super::map::Map;
use super::recur::{Moment, Recurrence};

const HEADERS: [&str; 4] = ["event_id", "name", "starts_on", "ends_on"];
/// Several copies of a calendar are held while it is taken apart.
const BYTES_MAX: u64 = 32 << 20;
/// A calendar of a million occurrences is an attack or a mistake.
const ROWS_MAX: usize = 1_000_000;
/// Longer windows than this are no events.
const DAYS_MAX: i64 = 3_660;

/// One property: name, parameters and value.
#[derive(Clone, Debug, PartialEq)]
struct Property {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Property {
    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A VEVENT as it was written, or what is wrong with a component.
#[derive(Debug, Default)]
struct Entry {
    line: u32,
    properties: Vec<Property>,
    problem: Option<Problem>,
}

struct Occurrence {
    event_id: String,
    name: String,
    starts_on: Day,
    ends_on: Day,
}

pub struct CalendarReader {
    headers: Vec<String>,
    chunk: Option<Chunk>,
}

impl CalendarReader {
    pub fn open(path: &Path, map: &Map, limits: &Limits) -> anyhow::Result<CalendarReader> {
        let name = path.display().to_string();
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
        let bytes_max = limits.unpacked_bytes.min(BYTES_MAX);
        let mut bytes = Vec::new();
        file.take(bytes_max + 1)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {name}"))?;
        ensure!(
            bytes.len() as u64 <= bytes_max,
            "{name} is over the limit of {bytes_max} bytes for a calendar"
        );
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            anyhow::anyhow!("{name}: line {line} holds bytes that are not UTF-8")
        })?;
        let zone = map.time_zone.as_deref().map(|zone| {
            zone.parse::<Tz>().map_err(|_| anyhow::anyhow!("{zone:?} is no IANA time zone"))
        });
        let chunk = chunk_of(text, zone.transpose()?).with_context(|| name)?;
        Ok(CalendarReader { headers: HEADERS.map(str::to_owned).to_vec(), chunk: Some(chunk) })
    }
}

impl ChunkReader for CalendarReader {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn select(&mut self, _wanted: Vec<bool>) {}

    fn next_chunk(&mut self) -> anyhow::Result<Option<Chunk>> {
        Ok(self.chunk.take().filter(|chunk| !chunk.is_empty()))
    }
}

fn chunk_of(text: &str, zone: Option<Tz>) -> anyhow::Result<Chunk> {
    let (entries, file_zone) = entries(text.trim_start_matches('\u{feff}'))?;
    let zone = zone.or(file_zone.and_then(|name| name.parse().ok()));
    let moved = moved_occurrences(&entries, zone);
    let (mut ids, mut names) = (TextColumn::default(), TextColumn::default());
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    let mut row_numbers = Vec::new();
    let mut bad = BTreeMap::new();
    for entry in &entries {
        let found = match &entry.problem {
            Some(problem) => Err(problem.clone()),
            None => occurrences(entry, zone, &moved),
        };
        match found {
            Ok(found) => {
                for one in found {
                    row_numbers.push(entry.line);
                    ids.push(Some(&one.event_id));
                    names.push(Some(&one.name));
                    starts.push(Some(one.starts_on.0));
                    ends.push(Some(one.ends_on.0));
                }
            }
            Err(problem) => {
                bad.insert(row_numbers.len(), problem);
                row_numbers.push(entry.line);
                ids.push(None);
                names.push(None);
                starts.push(None);
                ends.push(None);
            }
        }
        ensure!(row_numbers.len() <= ROWS_MAX, "more than {ROWS_MAX} occurrences");
    }
    let columns = vec![Cells::Text(ids), Cells::Text(names), Cells::Day(starts), Cells::Day(ends)];
    Ok(Chunk { row_numbers, columns, bad })
}

/// Unfolded lines with the number of their first.
fn unfolded(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ => lines.push((u32::try_from(at + 1).unwrap_or(u32::MAX), line.to_owned())),
        }
    }
    lines
}

/// What is in the file, and the calendar's own zone.
fn entries(text: &str) -> anyhow::Result<(Vec<Entry>, Option<String>)> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut zone = None;
    let mut open: Vec<String> = Vec::new();
    let mut current: Option<Entry> = None;
    let mut calendars = 0;
    for (at, line) in unfolded(text) {
        if line.trim().is_empty() {
            continue;
        }
        let Some(property) = property(&line) else {
            let problem = unsupported(&line, "a line that is no property");
            match &mut current {
                Some(entry) => entry.problem = entry.problem.take().or(Some(problem)),
                None if open.is_empty() => anyhow::bail!("line {at}: this is no iCalendar file"),
                None => {
                    entries.push(Entry { line: at, problem: Some(problem), ..Entry::default() })
                }
            }
            continue;
        };
        let value = property.value.trim().to_ascii_uppercase();
        match property.name.as_str() {
            "BEGIN" => {
                ensure!(
                    !open.is_empty() || value == "VCALENDAR",
                    "line {at}: BEGIN:VCALENDAR should come first"
                );
                calendars += usize::from(open.is_empty());
                if open.len() == 1 {
                    current = begun(&value, at);
                }
                open.push(value);
            }
            "END" => {
                let begun = open.pop();
                ensure!(begun.as_ref() == Some(&value), "line {at}: END:{value} without its BEGIN");
                if open.len() == 1 {
                    entries.extend(current.take());
                }
            }
            _ if open.is_empty() => anyhow::bail!("line {at}: BEGIN:VCALENDAR should come first"),
            "X-WR-TIMEZONE" if open.len() == 1 => zone = Some(property.value.trim().to_owned()),
            // Alarms within an event are somebody else's.
            _ => {
                if let (Some(entry), 2) = (&mut current, open.len()) {
                    entry.properties.push(property);
                }
            }
        }
    }
    ensure!(calendars > 0, "the file holds no calendar");
    if let Some(mut entry) = current {
        entry.problem = Some(unsupported("", "the file ends within the entry"));
        entries.push(entry);
    }
    Ok((entries, zone))
}

/// What to gather for a component of the calendar: zones and busy times say nothing that we keep, and
/// tasks are no events.
fn begun(component: &str, line: u32) -> Option<Entry> {
    let problem = match component {
        "VEVENT" => None,
        "VTIMEZONE" | "VFREEBUSY" => return None,
        other => Some(unsupported(other, "a component that is no event")),
    };
    Some(Entry { line, problem, ..Entry::default() })
}

fn unsupported(value: &str, reason: impl Into<String>) -> Problem {
    Problem::new(RejectCode::UnsupportedEvent, value, reason)
}

/// `NAME;PARAMETER=VALUE:value`; colons and semicolons may stand between quotes.
fn property(line: &str) -> Option<Property> {
    let mut quoted = false;
    let mut cuts = Vec::new();
    let mut colon = None;
    for (at, sign) in line.char_indices() {
        match sign {
            '"' => quoted = !quoted,
            ';' if !quoted => cuts.push(at),
            ':' if !quoted => {
                colon = Some(at);
                break;
            }
            _ => {}
        }
    }
    let colon = colon?;
    cuts.push(colon);
    let name = &line[..cuts[0]];
    let legal = |sign: char| sign.is_ascii_alphanumeric() || sign == '-';
    if name.is_empty() || !name.chars().all(legal) {
        return None;
    }
    let mut parameters = Vec::new();
    for pair in cuts.windows(2) {
        let (name, value) = line[pair[0] + 1..pair[1]].split_once('=')?;
        parameters.push((name.to_ascii_uppercase(), value.trim_matches('"').to_owned()));
    }
    let value = line[colon + 1..].to_owned();
    Some(Property { name: name.to_ascii_uppercase(), parameters, value })
}

/// Escaped text as a person reads it.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '\\' => match signs.next() {
                Some('n' | 'N') => plain.push(' '),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            other => plain.push(other),
        }
    }
    plain
}

/// What recurs, as one word: `Spring Festival` becomes `spring-festival`.
fn slug(text: &str) -> String {
    let mut word = String::new();
    for sign in text.chars().flat_map(char::to_lowercase) {
        if sign.is_alphanumeric() {
            word.push(sign);
        } else if !word.is_empty() && !word.ends_with('-') && !matches!(sign, '\'' | '’') {
            word.push('-');
        }
    }
    word.trim_end_matches('-').to_owned()
}

impl Entry {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &Property> {
        self.properties.iter().filter(move |property| property.name == name)
    }

    /// A property that an entry has at most once.
    fn one(&self, name: &'static str) -> Result<Option<&Property>, Problem> {
        let mut found = self.all(name);
        let first = found.next();
        match found.next() {
            Some(second) => Err(unsupported(&second.value, format!("{name} twice"))),
            None => Ok(first),
        }
    }

    fn text(&self, name: &'static str) -> Result<String, Problem> {
        let text = self.one(name)?.map(|property| unescaped(&property.value));
        let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        text.ok_or_else(|| Problem::new(RejectCode::MissingValue, "", format!("no {name}")))
    }
}

/// The date, and the time on it, that a property gives.
fn moment(property: &Property, value: &str, zone: Option<Tz>) -> Result<Moment, Problem> {
    let value = value.trim();
    let wrong =
        || Problem::new(RejectCode::NotADate, value, format!("{} is no date", property.name));
    if property.parameter("VALUE") == Some("PERIOD") {
        return Err(unsupported(value, "a period"));
    }
    if !value.is_ascii() {
        return Err(wrong());
    }
    let (date, time) = value.split_once(['T', 't']).map_or((value, None), |(d, t)| (d, Some(t)));
    let digits = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let date = NaiveDate::parse_from_str(date, "%Y%m%d").ok().filter(|_| digits);
    let date = date.ok_or_else(wrong)?;
    let Some(time) = time else { return Ok(Moment { day: date.into(), time: None }) };
    let (time, utc) = time.strip_suffix(['Z', 'z']).map_or((time, false), |time| (time, true));
    let digits = time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit());
    let time = NaiveTime::parse_from_str(time, "%H%M%S").ok().filter(|_| digits);
    let mut at = date.and_time(time.ok_or_else(wrong)?);
    if utc {
        let zone = zone.ok_or_else(|| {
            unsupported(value, "a UTC time in a calendar without a zone; give --time-zone")
        })?;
        at = at.and_utc().with_timezone(&zone).naive_local();
    }
    Ok(Moment { day: at.date().into(), time: Some(at.time()) })
}

/// `P3D`, `P2W`, `PT36H`; nothing that goes back.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim().strip_prefix('+').unwrap_or(text.trim()).strip_prefix('P')?;
    let (mut total, mut number, mut timed) = (0i64, String::new(), false);
    for sign in text.chars() {
        let seconds = match (sign, timed) {
            ('0'..='9', _) if number.len() < 9 => {
                number.push(sign);
                continue;
            }
            ('T', false) if number.is_empty() => {
                timed = true;
                continue;
            }
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(seconds)?)?;
        number.clear();
    }
    (number.is_empty() && total > 0).then(|| Duration::try_seconds(total)).flatten()
}

/// How many days after its first day the entry still goes on.
fn length(entry: &Entry, start: Moment, zone: Option<Tz>) -> Result<i32, Problem> {
    let end = match (entry.one("DTEND")?, entry.one("DURATION")?) {
        (Some(both), Some(_)) => return Err(unsupported(&both.value, "DTEND beside DURATION")),
        (None, None) => return Ok(0),
        (Some(end), None) => {
            let end = moment(end, &end.value, zone)?;
            if end.time.is_some() != start.time.is_some() {
                return Err(unsupported("", "DTSTART and DTEND differ in having a time"));
            }
            end
        }
        (None, Some(property)) => {
            let wrong = || unsupported(&property.value, "a DURATION that is not understood");
            let length = duration(&property.value).ok_or_else(wrong)?;
            let begins = NaiveDateTime::new(start.day.to_date(), start.time.unwrap_or_default());
            let ends = begins.checked_add_signed(length).ok_or_else(wrong)?;
            if start.time.is_none() && ends.time() != NaiveTime::MIN {
                return Err(wrong());
            }
            Moment { day: ends.date().into(), time: start.time.map(|_| ends.time()) }
        }
    };
    // The end is the first moment that does not belong to it.
    let exclusive = end.time.is_none_or(|time| time == NaiveTime::MIN);
    let days = end.day - start.day - i32::from(exclusive);
    // Many programs write a single day, or a moment, as ending when it starts.
    let days = if end == start { 0 } else { days };
    if i64::from(days) > DAYS_MAX {
        return Err(unsupported("", format!("{days} days are no event")));
    }
    Ok(days)
}

/// By UID the days whose occurrence another entry of the file replaces.
fn moved_occurrences(entries: &[Entry], zone: Option<Tz>) -> BTreeMap<String, BTreeSet<Day>> {
    let mut moved: BTreeMap<String, BTreeSet<Day>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.problem.is_none()) {
        let (Ok(uid), Ok(Some(of))) = (entry.text("UID"), entry.one("RECURRENCE-ID")) else {
            continue;
        };
        if let Ok(at) = moment(of, &of.value, zone) {
            moved.entry(uid).or_default().insert(at.day);
        }
    }
    moved
}

fn occurrences(
    entry: &Entry,
    zone: Option<Tz>,
    moved: &BTreeMap<String, BTreeSet<Day>>,
) -> Result<Vec<Occurrence>, Problem> {
    let uid = entry.text("UID")?;
    let summary = entry.text("SUMMARY")?;
    let name = slug(&summary);
    if name.is_empty() {
        return Err(Problem::new(RejectCode::MissingValue, &summary, "SUMMARY has no word"));
    }
    for (refused, why) in [("RDATE", "days beside a rule"), ("EXRULE", "a rule of exceptions")] {
        if let Some(property) = entry.all(refused).next() {
            return Err(unsupported(&property.value, format!("{refused}: {why}")));
        }
    }
    if let Some(status) = entry.one("STATUS")?
        && status.value.trim().eq_ignore_ascii_case("CANCELLED")
    {
        return Err(Problem::new(RejectCode::Excluded, &status.value, "the event is cancelled"));
    }
    let start = entry.one("DTSTART")?;
    let start = start.ok_or_else(|| Problem::new(RejectCode::MissingValue, "", "no DTSTART"))?;
    let start = moment(start, &start.value, zone)?;
    let days = length(entry, start, zone)?;
    let one = |event_id: String, starts_on: Day| Occurrence {
        event_id,
        name: name.clone(),
        starts_on,
        ends_on: starts_on + days,
    };
    if let Some(of) = entry.one("RECURRENCE-ID")? {
        if of.parameter("RANGE").is_some() {
            return Err(unsupported(&of.value, "a change of all later occurrences"));
        }
        let of = moment(of, &of.value, zone)?.day;
        return Ok(vec![one(format!("{uid}-{of}"), start.day)]);
    }
    let Some(rule) = entry.one("RRULE")? else { return Ok(vec![one(uid, start.day)]) };
    let until = |value: &str| {
        moment(rule, value, zone).map_err(|problem| format!("UNTIL={value}: {}", problem.reason))
    };
    let found = Recurrence::parse(&rule.value, until).and_then(|rule| rule.days(start));
    let found = found.map_err(|reason| unsupported(&rule.value, reason))?;
    let mut skipped = moved.get(&uid).cloned().unwrap_or_default();
    for property in entry.all("EXDATE") {
        for value in property.value.split(',') {
            skipped.insert(moment(property, value, zone)?.day);
        }
    }
    let kept = found.into_iter().filter(|day| !skipped.contains(day));
    let kept: Vec<Occurrence> = kept.map(|day| one(format!("{uid}-{day}"), day)).collect();
    if kept.is_empty() {
        return Err(Problem::new(RejectCode::Excluded, &rule.value, "no occurrence is left"));
    }
    Ok(kept)
}
