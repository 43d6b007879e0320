//! What a panel knows of drivers at a cutoff: the right value in the right place, and none early.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use granary_models::series::Panel;
use proptest::prelude::*;

use super::super::windows::build;
use super::*;

/// Files by name, written to a folder of their own.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(files: &[(&str, &str)]) -> Desk {
        let desk = Desk { folder: tempfile::tempdir().expect("a folder") };
        for (name, text) in files {
            std::fs::write(desk.path(name), text).expect("a file");
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads `panel.csv`, `static.csv` when it is there, and every other file as drivers.
    fn read(&self, known: &[&str], past: &[&str], columns: &Columns) -> anyhow::Result<LongTable> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut drivers: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("a file").path())
            .filter(|path| !path.ends_with("panel.csv") && !path.ends_with("static.csv"))
            .collect();
        drivers.sort_unstable();
        let statics = Some(self.path("static.csv")).filter(|path| path.exists());
        let declared = Declared { known: names(known), past: names(past) };
        let config = DriverConfig { drivers, statics, declared, country: None };
        read_with(&self.path("panel.csv"), Freq::Step, columns, &config, &|_| {})
    }
}

/// `name: 1 2 . | 3 .`, one line a column: history, then horizon; `.` is unknown.
fn shown(panel: &Panel, series: usize) -> String {
    let days = panel.driver_days(series);
    let cell = |value: &f32| if value.is_nan() { " .".to_owned() } else { format!(" {value}") };
    let mut text = String::new();
    for column in &panel.columns {
        let (past, ahead) = column.values[days.clone()].split_at(days.len() - panel.horizon_days);
        let of = |values: &[f32]| values.iter().map(cell).collect::<String>();
        writeln!(text, "{}:{} |{}", column.name, of(past), of(ahead)).expect("a text");
    }
    for column in &panel.statics {
        let label = &column.labels[column.codes[series] as usize];
        writeln!(text, "{}: {label} of {}", column.name, column.labels.join(",")).expect("a text");
    }
    text
}

#[track_caller]
fn check(
    files: &[(&str, &str)],
    (known, past): (&[&str], &[&str]),
    (cutoff, horizon): (i64, usize),
    want: &[&[&str]],
) {
    let desk = Desk::new(files);
    let table = desk.read(known, past, &Columns::default()).expect("a table");
    let panel = build(&table, cutoff, 1.0, horizon).panel;
    assert_eq!(panel.len(), want.len());
    for (series, want) in want.iter().enumerate() {
        let lines: Vec<String> = shown(&panel, series).lines().map(str::to_owned).collect();
        assert_eq!(lines, *want, "series {series}");
    }
}

const PANEL: &str = "unique_id,ds,y\na,1,1\na,2,1\na,3,1\na,4,1\na,5,1\nb,3,1\nb,4,1\nb,5,1\n";

#[test]
fn a_series_has_its_own_drivers() {
    let drivers = "unique_id,ds,plan,seen\nb,5,25,35\na,1,11,-1\na,4,14,-4\na,5,15,-5\nb,3,,33\n\
                   a,9,19,9\nz,1,1,1\na,3,13,-3\n";
    let want: &[&[&str]] =
        &[&["plan: 11 . 13 | 14 15", "seen: -1 . -3 | . ."], &["plan: . | . 25", "seen: 33 | . ."]];
    check(&[("panel.csv", PANEL), ("d.csv", drivers)], (&["plan"], &["seen"]), (3, 2), want);
}

#[test]
fn drivers_of_a_place_reach_all_that_are_there() {
    let statics = "unique_id,city,shop\na,X,1\nb,Y,1\n";
    let weather = "ds,city,temp\n1,X,10\n2,X,20\n3,Y,31\n3,X,30\n4,Y,41\n4,X,40\n4,Z,1\n";
    let of_shop = "ds,shop,city,open\n3,1,Y,1\n3,1,X,0\n4,1,Y,true\n";
    let all = "ds,pay\n4,1\n2,0\n";
    let want: &[&[&str]] = &[
        &[
            "pay: . 0 . | 1",
            "open: . . 0 | .",
            "temp: 10 20 30 | .",
            "city: X of X,Y",
            "shop: 1 of 1",
        ],
        &["pay: . | 1", "open: 1 | 1", "temp: 31 | .", "city: Y of X,Y", "shop: 1 of 1"],
    ];
    let files = [
        ("panel.csv", PANEL),
        ("static.csv", statics),
        ("all.csv", all),
        ("of_shop.csv", of_shop),
        ("weather.csv", weather),
    ];
    check(&files, (&["pay", "open"], &["temp"]), (3, 1), want);
}

#[test]
fn drivers_of_a_category_and_of_the_panel_itself() {
    let panel = "unique_id,ds,y,category,visits,kind\na,1,1,P,7,\na,2,1,P,8,tv\na,3,1,P,9,web\n\
                 b,2,1,Q,5,web\nb,3,1,Q,6,sms\n";
    let of_category = "category,ds,level\nP,1,1\nP,2,2\nP,3,3\nQ,2,20\nQ,3,30\n";
    let want: &[&[&str]] = &[
        &["visits: 7 8 | .", "kind=tv: . 1 | 0", "kind=web: . 0 | 1", "level: 1 2 | 3"],
        // What `sms` is was told first on a day that is known ahead; see below for one that is not.
        &["visits: 5 | .", "kind=tv: 0 | 0", "kind=web: 1 | 0", "level: 20 | 30"],
    ];
    let with_sms: Vec<Vec<&str>> = want
        .iter()
        .zip(["kind=sms: . 0 | 0", "kind=sms: 0 | 1"])
        .map(|(lines, sms)| [&lines[..1], &[sms], &lines[1..]].concat())
        .collect();
    let with_sms: Vec<&[&str]> = with_sms.iter().map(Vec::as_slice).collect();
    let files = [("panel.csv", panel), ("c.csv", of_category)];
    check(&files, (&["kind", "level"], &["visits"]), (2, 1), &with_sms);
    // Of what is known only when it is over, nobody has heard of `sms` yet.
    let past: Vec<Vec<String>> = want
        .iter()
        .map(|lines| {
            let hidden = |line: &&str| match line.split_once('|') {
                Some((past, _)) if line.starts_with("kind") => format!("{past}| ."),
                _ => (*line).to_owned(),
            };
            lines.iter().map(hidden).collect()
        })
        .collect();
    let past: Vec<Vec<&str>> =
        past.iter().map(|lines| lines.iter().map(String::as_str).collect()).collect();
    let past: Vec<&[&str]> = past.iter().map(Vec::as_slice).collect();
    check(&files, (&["level"], &["visits", "kind"]), (2, 1), &past);
}

#[test]
fn parquet_has_types_of_its_own() {
    use polars::prelude::{Column, DataFrame, ParquetWriter};
    let desk = Desk::new(&[("panel.csv", PANEL)]);
    let columns = vec![
        Column::new("unique_id".into(), ["a", "b", "a"]),
        Column::new("ds".into(), [2i32, 4, 3]),
        Column::new("open".into(), [Some(true), Some(false), None]),
        Column::new("heat".into(), [0.1f32, f32::NAN, 2.5]),
        Column::new("count".into(), [7u8, 0, 255]),
    ];
    let mut frame = DataFrame::new(3, columns).expect("a frame");
    let file = std::fs::File::create(desk.path("d.parquet")).expect("a file");
    ParquetWriter::new(file).finish(&mut frame).expect("Parquet");
    let table = desk.read(&["open", "count"], &["heat"], &Columns::default()).expect("a table");
    let panel = build(&table, 3, 1.0, 1).panel;
    assert_eq!(shown(&panel, 0), "open: . 1 . | .\nheat: . 0.1 2.5 | .\ncount: . 7 255 | .\n");
    assert_eq!(shown(&panel, 1), "open: . | 0\nheat: . | .\ncount: . | 0\n");
}

#[test]
fn a_panel_has_the_properties_of_its_own_series_only() {
    // `b` begins after the cutoff: its brand is no label of the panel.
    let statics = "unique_id,brand,size\nb,new,1.0\na,old,\nz,other,3\n";
    let files = [("panel.csv", PANEL), ("static.csv", statics)];
    check(&files, (&[], &[]), (2, 1), &[&["brand: old of old", "size:  of "]]);
    let both: &[&[&str]] = &[
        &["brand: old of new,old", "size:  of ,1.0"],
        &["brand: new of new,old", "size: 1.0 of ,1.0"],
    ];
    check(&files, (&[], &[]), (3, 1), both);
}

#[test]
fn a_static_file_may_say_the_category() {
    let files = [("panel.csv", PANEL), ("static.csv", "unique_id,group,brand\nb,g1,B\n")];
    let columns = Columns { category: "group".into(), ..Columns::default() };
    let table = Desk::new(&files).read(&[], &[], &columns).expect("a table");
    assert_eq!((table.category, table.categories), (vec![0, 1], vec!["".into(), "g1".into()]));
    assert_eq!(table.notes, ["series without a row in static.csv: 1"]);
    // The panel's own category wins.
    let panel = PANEL.replace("ds,y", "ds,y,group").replace(",1\n", ",1,own\n");
    let files = [("panel.csv", panel.as_str()), files[1]];
    let table = Desk::new(&files).read(&[], &[], &columns).expect("a table");
    assert_eq!(table.categories, ["own"]);
    assert!(table.notes.iter().any(|note| note.contains("`group` of static.csv is not used")));
}

#[test]
fn series_that_are_moved_take_their_drivers_with_them() {
    let panel = "unique_id,ds,y\na,1,1\na,2,1\na,3,1\nb,1,1\nb,2,1\nb,3,1\nb,4,1\nb,5,1\n";
    let drivers = "ds,tick\n1,1\n2,2\n3,3\n4,4\n5,5\n";
    let desk = Desk::new(&[("panel.csv", panel), ("d.csv", drivers)]);
    let mut table = desk.read(&["tick"], &[], &Columns::default()).expect("a table");
    table.align_ends();
    let panel = build(&table, 4, 1.0, 1).panel;
    assert_eq!(shown(&panel, 0), "tick: 1 2 | 3\n");
    assert_eq!(shown(&panel, 1), "tick: 1 2 3 4 | 5\n");
}

/// One series of a drawn table: its first step and which of the steps after it have a row.
type Drawn = Vec<(i64, Vec<bool>)>;

fn drawn() -> impl Strategy<Value = (Drawn, Vec<Vec<Option<i16>>>, usize, i64, usize)> {
    let series = (0i64..8, prop::collection::vec(any::<bool>(), 0..10));
    let cells = prop::collection::vec(prop::option::weighted(0.7, any::<i16>()), 20);
    let values = prop::collection::vec(cells, 4);
    (prop::collection::vec(series, 1..5), values, 0usize..3, 1i64..16, 1usize..5)
}

/// The panel of a drawn table: every series has a row at its first step, the last also at 19.
fn panel_text(drawn: &Drawn) -> String {
    let mut text = "unique_id,ds,y\n".to_owned();
    for (series, (first, rows)) in drawn.iter().enumerate() {
        writeln!(text, "s{series},{first},1").expect("a text");
        for (after, _) in rows.iter().enumerate().filter(|(_, there)| **there) {
            writeln!(text, "s{series},{},2", first + 1 + after as i64).expect("a text");
        }
    }
    let last = drawn.len() - 1;
    writeln!(text, "s{last},19,1").expect("a text");
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// Whatever a file is joined by, a panel has the file's value of the series' group and the step,
    /// as far as it was known, and nothing else.
    #[test]
    fn every_value_is_the_file_s((drawn, values, join, cutoff, horizon) in drawn()) {
        // Series 0 and 2 share a group, as do 1 and 3; or each is its own; or all are one.
        let group = |series: usize| [series, series % 2, 0][join];
        let head = ["unique_id,", "side,", ""][join];
        let key = |group: usize| ["s", "g", ""][join].to_owned()
            + &if join < 2 { format!("{group},") } else { String::new() };
        let mut files = vec![("panel.csv", panel_text(&drawn))];
        let mut text = format!("{head}ds,ahead,past\n");
        let mut reference = BTreeMap::new();
        for series in (0..drawn.len()).rev().filter(|&series| group(series) == series) {
            for step in (0..20i64).rev() {
                let Some(value) = values[series][step as usize] else { continue };
                writeln!(text, "{}{step},{value},{}", key(series), i32::from(value) + 1)
                    .expect("a text");
                reference.insert((series, step), f32::from(value));
            }
        }
        files.push(("d.csv", text));
        if join == 1 {
            let rows = (0..drawn.len()).map(|series| format!("s{series},g{}\n", group(series)));
            files.push(("static.csv", "unique_id,side\n".to_owned() + &rows.collect::<String>()));
        }
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let Ok(table) = Desk::new(&files).read(&["ahead"], &["past"], &Columns::default()) else {
            // Only a file without a single row in the panel may be refused.
            let inside = |(group_of, step): &(usize, i64)| {
                (0..drawn.len()).any(|at| group(at) == *group_of && drawn[at].0 <= *step)
            };
            prop_assert!(!reference.keys().any(inside));
            return Ok(());
        };
        let built = build(&table, cutoff.min(19 - horizon as i64), 1.0, horizon);
        let cutoff = cutoff.min(19 - horizon as i64);
        let known: Vec<usize> = (0..drawn.len()).filter(|&at| drawn[at].0 <= cutoff).collect();
        prop_assert_eq!(built.panel.len(), known.len());
        let columns = if known.is_empty() { 0 } else { 2 };
        prop_assert_eq!(built.panel.columns.len(), columns);
        for (at, &series) in known.iter().enumerate() {
            for (day, place) in built.panel.driver_days(at).enumerate() {
                let step = drawn[series].0 + day as i64;
                let want = reference.get(&(group(series), step)).copied();
                let [ahead, past] = [0, 1].map(|column| built.panel.columns[column].values[place]);
                prop_assert_eq!(Some(ahead).filter(|value| !value.is_nan()), want);
                let want = want.filter(|_| step <= cutoff).map(|value| value + 1.0);
                prop_assert_eq!(Some(past).filter(|value| !value.is_nan()), want);
            }
        }
    }

    /// Nothing of what comes after a cutoff is in the panel, nor of plans beyond the horizon.
    #[test]
    fn the_future_changes_no_panel(turn in 1usize..5, cutoff in 4i64..9) {
        let horizon = 3;
        let kinds = ["sun", "rain", "snow", "fog"];
        let text = |turn: usize| {
            // After the cutoff everything observed is another; after the horizon plans are, too.
            let mut panel = "unique_id,ds,y,visits\n".to_owned();
            let mut drivers = "unique_id,ds,plan,temp,sky\n".to_owned();
            for series in 0..3usize {
                for step in 0..15i64 {
                    let seen = if step > cutoff { turn } else { 0 };
                    let planned = if step > cutoff + horizon { turn } else { 0 };
                    let value = |shift: usize| (series * 7 + step as usize * 3 + shift) % 11;
                    let sky = kinds[(series + step as usize) % 2 + seen.min(2)];
                    writeln!(panel, "s{series},{step},{},{}", value(seen), value(4 + seen))
                        .expect("a text");
                    writeln!(drivers, "s{series},{step},{},{},{sky}", value(planned), value(seen))
                        .expect("a text");
                }
            }
            (panel, drivers)
        };
        let made = |turn: usize| {
            let (panel, drivers) = text(turn);
            let desk = Desk::new(&[("panel.csv", &panel), ("d.csv", &drivers)]);
            let table =
                desk.read(&["plan"], &["temp", "sky", "visits"], &Columns::default()).expect("read");
            let panel = build(&table, cutoff, 1.0, horizon as usize).panel;
            let all: String = (0..3).map(|series| shown(&panel, series)).collect();
            (all, panel.sold)
        };
        prop_assert_ne!(text(0), text(turn));
        prop_assert_eq!(made(0), made(turn));
    }
}
