//! Windows: series out are series in, nothing comes from the future, odd series have results.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const ARGS: &str = "--freq D --horizon 7 --windows 3 --models auto,theta";

/// Series, cutoff and model.
type Key = (String, String, String);

/// The label and the bits of the values of every step.
type Steps = Vec<(String, Vec<u64>)>;

fn by_key(frame: &DataFrame) -> BTreeMap<Key, Steps> {
    let names = ["unique_id", "cutoff", "model", "ds"].map(|name| texts(frame, name));
    let values: Vec<Vec<Option<f64>>> = frame
        .get_column_names()
        .iter()
        .filter(|name| name.starts_with('q') || name.as_str() == "mean")
        .map(|name| reals(frame, name))
        .collect();
    let mut rows: BTreeMap<Key, Steps> = BTreeMap::new();
    for at in 0..frame.height() {
        let [id, cutoff, model, ds] = names.each_ref().map(|texts| texts[at].clone());
        let bits = values.iter().map(|of| of[at].expect("never null").to_bits()).collect();
        rows.entry((id, cutoff, model)).or_default().push((ds, bits));
    }
    rows
}

fn odd_series() -> String {
    let mut csv = daily(6, 120, |series, day| demand(series, day).to_string());
    let first: granary_models::calendar::Day = "2024-01-01".parse().expect("a date");
    let mut add = |id: &str, days: std::ops::Range<i32>, y: &dyn Fn(i32) -> String| {
        days.for_each(|day| csv.push_str(&format!("{id},{},{}\n", first + day, y(day))));
    };
    add("constant", 0..120, &|_| "9".into());
    add("zero", 0..120, &|_| "0".into());
    add("empty", 0..120, &|_| String::new());
    add("one point", 50..51, &|_| "4".into());
    add("ended", 0..60, &|day| (day % 7).to_string());
    add("started late", 115..120, &|_| "3".into());
    add("gappy", 0..120, &|day| if day % 3 == 0 { "6".into() } else { String::new() });
    add("<b>&\"'</b>", 0..120, &|day| (5 + day % 4).to_string());
    csv
}

#[test]
fn series_out_are_series_in_at_every_cutoff() {
    let desk = Desk::open();
    let csv = odd_series();
    let input = desk.file("panel.csv", &csv);
    let frame = desk.forecasts(&input, "out", ARGS);
    let names: Vec<&str> = frame.get_column_names().iter().map(|name| name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        "unique_id cutoff ds model mean q0.01 q0.05 q0.1 q0.25 q0.5 q0.75 q0.9 q0.95 q0.99 y"
    );
    let rows = by_key(&frame);
    let keys_in: BTreeSet<String> = csv
        .lines()
        .skip(1)
        .map(|line| line.rsplitn(3, ',').last().expect("an id").to_owned())
        .collect();
    let cutoffs = ["2024-04-08", "2024-04-15", "2024-04-22"];
    let mut want = BTreeSet::new();
    for id in &keys_in {
        for cutoff in cutoffs {
            for model in ["auto", "theta", "seasonal_naive"] {
                want.insert((id.clone(), cutoff.to_owned(), model.to_owned()));
            }
        }
    }
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), want);
    for (key, steps) in &rows {
        assert_eq!(steps.len(), 7, "{key:?}");
        let cutoff: granary_models::calendar::Day = key.1.parse().expect("a date");
        for (step, (ds, values)) in steps.iter().enumerate() {
            assert_eq!(*ds, (cutoff + step as i32 + 1).to_string(), "{key:?}");
            let values: Vec<f64> = values.iter().map(|&bits| f64::from_bits(bits)).collect();
            assert!(values.iter().all(|value| value.is_finite() && *value >= 0.0), "{key:?}");
            assert!(values[1..].windows(2).all(|w| w[0] <= w[1]), "{key:?} {values:?}");
        }
    }
    let mean = |id: &str, cutoff: &str| {
        let key = (id.to_owned(), cutoff.to_owned(), "auto".to_owned());
        f64::from_bits(rows[&key][0].1[0])
    };
    assert!((mean("constant", cutoffs[2]) - 9.0).abs() < 1e-6);
    assert_eq!(mean("zero", cutoffs[2]), 0.0);
    // Neither `empty` at any cutoff nor `started late` before its first row has a past: they have
    // the mean of their category, and `scores.json` counts them.
    assert_eq!(mean("empty", cutoffs[0]), mean("started late", cutoffs[0]));
    assert!(mean("empty", cutoffs[0]) > 1.0);
    let scores = json(&desk.path("out").join("scores.json"));
    assert_eq!(scores["fallbacks"], 6);
    assert_eq!(scores["windows"][2]["fallbacks"], 2);
    // A past of nothing at all.
    let input = desk.file("late.csv", "unique_id,ds,y\na,1,\na,5,2\n");
    let frame = desk.forecasts(&input, "late", "--freq 1 --horizon 2");
    assert_eq!(reals(&frame, "mean"), [Some(0.0); 4]);
}

#[test]
fn the_report_is_one_page_with_every_name_escaped() {
    let desk = Desk::open();
    let input = desk.file("<i>.csv", &odd_series());
    desk.forecasts(&input, "out", ARGS);
    let page = std::fs::read_to_string(desk.path("out").join("report.html")).expect("a page");
    for foreign in ["http://", "https://", "<script", "url(", "@import", "<b>", "<i>"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for part in ["Leader board", "seasonal_naive", "WAPE by class", "prefers-color-scheme: dark"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("NaN"), "ids are text");
}

/// What comes after a cutoff, promotions and prices aside, changes nothing.
#[test]
fn the_future_does_not_leak() {
    let desk = Desk::open();
    let args = "--freq D --horizon 7 --windows 2 --models all";
    let table = |future: &dyn Fn(usize, i32) -> String| {
        let y = |series, day| match day {
            0..113 => format!("{}.5,1,0", demand(series, day)),
            _ => future(series, day),
        };
        daily(5, 120, y).replacen("y\n", "y,available,promo\n", 1)
    };
    let one = desk.file("one.csv", &table(&|_, day| format!("{day},1,0")));
    let other = desk.file(
        "other.csv",
        &table(&|series, day| {
            if day < 119 && series == 0 { ",0,0".into() } else { "0.25,0.5,0".into() }
        }),
    );
    let at_last = |name: &str, input| {
        let rows = by_key(&desk.forecasts(input, name, args));
        assert!(rows.keys().any(|key| key.1 == "2024-04-22"), "the last cutoff");
        rows
    };
    assert_eq!(at_last("one", &one), at_last("other", &other));
}

#[test]
fn known_promotions_reach_the_forecast() {
    let desk = Desk::open();
    let table = |ahead: &str| {
        let y = |series: usize, day: i32| {
            let promoted = day % 28 < 7;
            let sold = demand(series, day) + if promoted { 40 } else { 10 };
            match day {
                112.. => format!("{sold},{ahead}"),
                _ => format!("{sold},{}", if promoted { "0.4" } else { "0" }),
            }
        };
        daily(8, 119, y).replacen("y\n", "y,promo\n", 1)
    };
    let total = |name: &str, ahead: &str| -> f64 {
        let input = desk.file(&format!("{name}.csv"), &table(ahead));
        let frame = desk.forecasts(&input, name, "--freq D --horizon 7 --models pooled");
        let (means, models) = (reals(&frame, "mean"), texts(&frame, "model"));
        let pooled = means.iter().zip(&models).filter(|(_, model)| *model == "pooled");
        pooled.filter_map(|(mean, _)| *mean).sum()
    };
    let (with, without) = (total("with", "0.4"), total("without", "0"));
    assert!(with > 1.3 * without, "{with} {without}");
}

#[test]
fn every_frequency_has_its_own_labels() {
    let desk = Desk::open();
    let cases: &[(&str, &[&str], &str, DataType)] = &[
        (
            "W",
            &["2024-01-07", "2024-01-14", "2024-01-21", "2024-01-28"],
            "2024-01-28",
            DataType::Date,
        ),
        (
            "M",
            &["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"],
            "2024-04-30",
            DataType::Date,
        ),
        (
            "MS",
            &["2024-11-01", "2024-12-01", "2025-01-01", "2025-02-01"],
            "2025-02-01",
            DataType::Date,
        ),
        (
            "H",
            &["2024-01-01T22:00", "2024-01-01T23:00", "2024-01-02T00:00", "2024-01-02T01:00"],
            "2024-01-02 01:00:00.000000",
            DataType::Datetime(TimeUnit::Microseconds, None),
        ),
        ("1", &["-1", "0", "1", "2"], "2", DataType::Int64),
    ];
    for (freq, labels, last, kind) in cases {
        let rows: String = labels.iter().map(|ds| format!("a,{ds},0.{}\n", ds.len())).collect();
        let input = desk.file("panel.csv", &format!("unique_id,ds,y\n{rows}"));
        let frame = desk.forecasts(&input, freq, &format!("--freq {freq} --horizon 1"));
        assert_eq!(frame.column("ds").expect("ds").dtype(), kind, "{freq}");
        assert_eq!(frame.column("cutoff").expect("cutoff").dtype(), kind, "{freq}");
        assert_eq!(texts(&frame, "ds"), [*last; 2], "{freq}");
    }
}

#[test]
fn the_order_of_rows_and_threads_changes_nothing() {
    let desk = Desk::open();
    let csv = odd_series();
    let mut lines: Vec<&str> = csv.lines().collect();
    lines[1..].reverse();
    let sorted = desk.file("panel.csv", &csv);
    std::fs::create_dir(desk.path("other")).expect("a folder");
    let reversed = desk.file("other/panel.csv", &(lines.join("\n") + "\n"));
    desk.forecasts(&sorted, "a", ARGS);
    desk.forecasts(&reversed, "b", &format!("{ARGS} --threads 1"));
    for name in ["forecasts.parquet", "scores.parquet"] {
        let read = |out: &str| std::fs::read(desk.path(out).join(name)).expect("a file");
        assert!(read("a") == read("b"), "{name}");
    }
}

#[test]
fn the_leader_board_is_on_stdout_and_notes_are_on_stderr() {
    let desk = Desk::open();
    let input = desk.file("panel.csv", &odd_series());
    let output = desk.run(&input, "text", ARGS);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("model") && text.contains("seasonal_naive"), "{text}");
    assert!(stderr(&output).contains("note: "), "{}", stderr(&output));
    let output = desk.run(&input, "json", &format!("{ARGS} --json"));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told, json(&desk.path("json").join("scores.json")));
    let board = told["leader_board"].as_array().expect("a list");
    let wape = |name: &serde_json::Value| {
        told["models"][name.as_str().expect("a name")]["wape"].as_f64().expect("a number")
    };
    assert!(board.windows(2).all(|pair| wape(&pair[0]) <= wape(&pair[1])), "{board:?}");
    assert_eq!(told["models"]["seasonal_naive"]["fva"], 0.0);
}
