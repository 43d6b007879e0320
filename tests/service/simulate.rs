//! `granary simulate`: files, books, threads, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use polars::prelude::*;

struct Desk {
    folder: tempfile::TempDir,
}

const OPTIONS: &str = "
freq = \"W\"
lead_periods = 3
shortage = \"lost\"
warm_up_periods = 2
scored_periods = 8
paths = 64

[costs]
holding = 0.2
shortage = 1.0

[business]
policy = \"min_max\"
software_cost_per_period = 1.0
introduction_cost = 10.0
";

impl Desk {
    fn open() -> Desk {
        Desk { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn run(&self, options: &str, out: &str, args: &str) -> Output {
        let options = self.file("options.toml", options);
        let mut command = Command::new(env!("CARGO_BIN_EXE_granary"));
        command.arg("simulate").arg("--input").arg(self.path("panel.csv"));
        command.arg("--options").arg(options).arg("--out").arg(self.path(out));
        command.args(args.split_whitespace()).output().expect("the program starts")
    }

    fn done(&self, options: &str, out: &str, args: &str) -> serde_json::Value {
        let output = self.run(options, out, args);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = std::fs::read(self.path(out).join("summary.json")).expect("a summary");
        serde_json::from_slice(&text).expect("JSON")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn parquet(path: &Path) -> DataFrame {
    let file = std::fs::File::open(path).expect("a finished file");
    ParquetReader::new(file).finish().expect("Parquet")
}

fn whole(frame: &DataFrame, name: &str) -> Vec<i64> {
    let column = frame.column(name).and_then(|column| column.i64()).expect(name);
    column.iter().map(|value| value.expect(name)).collect()
}

fn reals(frame: &DataFrame, name: &str) -> Vec<f64> {
    let column = frame.column(name).and_then(|column| column.f64()).expect(name);
    column.iter().map(|value| value.expect(name)).collect()
}

/// `series` series of 60 weeks from Monday 2023-01-02, with the columns of the business.
fn panel(series: usize) -> String {
    let first: granary_models::calendar::Day = "2023-01-02".parse().expect("a date");
    let mut text = "unique_id,ds,y,ordered,on_hand,lead\n".to_owned();
    for one in 0..series {
        for week in 0..60usize {
            let y = (one % 4) * 5 + (week * 7919 + one * 104_729) % 13;
            let (date, on_hand) = (first + 7 * week as i32, 100 + week);
            text.push_str(&format!("s{one},{date},{y},{},{on_hand},{}\n", 10 + one, 1 + one % 3));
        }
    }
    text
}

#[test]
fn the_files_agree_with_one_another() {
    let desk = Desk::open();
    desk.file("panel.csv", &panel(12));
    let summary = desk.done(OPTIONS, "out", "");
    let periods = parquet(&desk.path("out").join("periods.parquet"));
    assert_eq!(periods.height(), 5 * 12 * 10);
    let column = |name: &str| whole(&periods, name);
    let (opening, received, sold) = (column("opening"), column("received"), column("sold"));
    let (wasted, closing, demand) = (column("wasted"), column("closing"), column("demand"));
    let lost = column("lost");
    for at in 0..periods.height() {
        assert_eq!(opening[at] + received[at] - sold[at] - wasted[at], closing[at]);
        assert_eq!(demand[at], sold[at] + lost[at]);
    }
    // Money is units times rates, and the warm-up is in no sum.
    let scored: Vec<bool> =
        periods.column("scored").and_then(|c| c.bool()).expect("scored").iter().flatten().collect();
    assert_eq!(scored.iter().filter(|scored| **scored).count(), 5 * 12 * 8);
    let (holding, shortage) = (reals(&periods, "holding_cost"), reals(&periods, "shortage_cost"));
    for (policy, rows) in (0..5).map(|policy| (policy, policy * 120..(policy + 1) * 120)) {
        let (mut held, mut short, mut cost) = (0, 0, 0.0);
        for at in rows.filter(|&at| scored[at]) {
            assert!((holding[at] - 0.2 * closing[at] as f64).abs() < 1e-9);
            held += closing[at];
            short += lost[at];
            cost += holding[at] + shortage[at];
        }
        let of = &summary["policies"][policy];
        let real = |name: &str| of[name].as_f64().expect(name);
        assert!((real("holding_cost") - 0.2 * held as f64).abs() < 1e-6);
        assert!((real("shortage_cost") - short as f64).abs() < 1e-6);
        assert!((real("total_cost") - cost).abs() < 1e-6);
        assert_eq!(real("lost"), short as f64);
    }
    let series = parquet(&desk.path("out").join("series.parquet"));
    let total: f64 = reals(&series, "total_cost").iter().sum();
    let sums: f64 = (0..5)
        .map(|policy| summary["policies"][policy]["total_cost"].as_f64().expect("a cost"))
        .sum();
    assert!((total - sums).abs() < 1e-6);
    let business = &summary["business"];
    let gain = business["saving"].as_f64().expect("a saving") - 8.0 - 10.0;
    assert!((business["net_gain"].as_f64().expect("a gain") - gain).abs() < 1e-6);
    let page = std::fs::read_to_string(desk.path("out").join("report.html")).expect("a page");
    assert!(page.contains("money curve") && page.contains("Net gain so far"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("NaN"));
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let desk = Desk::open();
    desk.file("panel.csv", &panel(30));
    for threads in ["1", "2"] {
        desk.done(OPTIONS, threads, &format!("--threads {threads}"));
    }
    for name in ["periods.parquet", "series.parquet", "summary.json", "report.html"] {
        let read = |out: &str| std::fs::read(desk.path(out).join(name)).expect("a finished file");
        assert_eq!(read("1"), read("2"), "{name}");
    }
}

#[test]
fn the_columns_of_the_business_are_replayed() {
    let desk = Desk::open();
    desk.file("panel.csv", &panel(3));
    desk.file("items.csv", "sku,hold\ns0,1\ns1,2\ns2,3\nother,9\n");
    let options = "
        freq = \"W\"
        lead_periods = \"lead\"
        shortage = \"lost\"
        scored_periods = 6
        start.on_hand = \"on_hand\"
        start.due = [3, 4]
        costs = { holding = { column = \"hold\", times = 0.5, plus = 1.0 }, shortage = 4 }
        items = { file = \"items.csv\", id_col = \"sku\" }
        policies = [{ kind = \"recorded\", name = \"today\" }]
    ";
    let summary = desk.done(options, "out", "");
    assert_eq!(summary["policies"][0]["name"], "today");
    let periods = parquet(&desk.path("out").join("periods.parquet"));
    let (ordered, received) = (whole(&periods, "ordered"), whole(&periods, "received"));
    let opening = whole(&periods, "opening");
    let (closing, holding) = (whole(&periods, "closing"), reals(&periods, "holding_cost"));
    for series in 0..3usize {
        let rows = series * 6..series * 6 + 6;
        // Stock of the week before the first: 100 + 53.
        assert_eq!(opening[rows.start], 153);
        let orders = 10 + series as i64;
        assert!(ordered[rows.clone()].iter().all(|&qty| qty == orders));
        let given = [3, 4, 0, 0, 0, 0];
        for (at, row) in rows.enumerate() {
            // An order placed at the end of week X is usable in X + 1, X + 2, X + 3.
            let due = if at >= series { orders } else { 0 };
            assert_eq!(received[row], given[at] + due);
            let rate = 0.5 * (series + 1) as f64 + 1.0;
            assert!((holding[row] - rate * closing[row] as f64).abs() < 1e-9);
        }
    }
}

#[test]
fn options_that_mean_nothing_are_refused_by_key_and_value() {
    let desk = Desk::open();
    desk.file("panel.csv", &panel(2));
    let with = |from: &str, to: &str| OPTIONS.replace(from, to);
    for (options, exit, said) in [
        (with("paths", "path"), 2, "unknown field `path`"),
        (with("lead_periods = 3", ""), 2, "missing field `lead_periods`"),
        (with("lead_periods = 3", "lead_periods = 0"), 2, "lead_periods is 0; legal is 1 to 1000"),
        (with("paths = 64", "paths = 3"), 2, "paths is 3; legal is 10 to 10000"),
        (with("\"lost\"", "\"gone\""), 2, "unknown variant `gone`"),
        (with("holding = 0.2", "holding = -1"), 2, "costs.holding is -1; legal is 0"),
        (with("\"min_max\"", "\"max\""), 2, "business.policy is \"max\"; legal is granary"),
        (with("scored_periods = 8", "scored_periods = 80"), 2, "need more than 82 weeks"),
        (with("holding = 0.2", "holding = \"hodling\""), 3, "there is no column `hodling`"),
        (with("holding = 0.2", "holding = \"y\""), 3, "want one value for a series"),
        (with("freq = \"W\"", "freq = \"X\""), 2, "freq is \"X\"; legal is D, W, M, H, 1"),
        (format!("{OPTIONS}\n[[policies]]\nkind = \"minmax\""), 2, "did you mean \"min_max\"?"),
        (
            format!("{OPTIONS}\n[[policies]]\nkind = \"min_max\"\nlevel = 0.9"),
            2,
            "policies.0: min_max takes no level",
        ),
    ] {
        let output = desk.run(&options, "out", "");
        assert_eq!(output.status.code(), Some(exit), "{said}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{said}: {}", stderr(&output));
        assert!(!desk.path("out").join("summary.json").exists());
    }
}
