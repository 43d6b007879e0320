//! Sums: their scores are those of the rows that are written, and what brings forecasts into line
//! is told.

use std::collections::BTreeMap;

use super::*;

/// Thirty series in three categories and two cities, some days sold out.
fn table() -> (String, String, String) {
    let mut panel = "unique_id,ds,y,available,category\n".to_owned();
    let mut statics = "unique_id,city,shelf\n".to_owned();
    for line in daily(30, 120, |series, day| demand(series, day).to_string()).lines().skip(1) {
        let series: usize = line[1..line.find(',').expect("an id")].parse().expect("a number");
        let out = line.len() % 7 == 0 && line.ends_with('3');
        let available = if out { "0.5" } else { "1" };
        panel.push_str(&format!("{line},{available},c{}\n", series % 3));
    }
    for series in 0..30 {
        statics.push_str(&format!("s{series},{},p{series}\n", ["north", "south"][series % 2]));
    }
    let args = "--freq D --horizon 7 --windows 2 --models auto,ses --static static.csv";
    (panel, statics, args.to_owned())
}

/// WAPE and bias of sums over `group`, of the rows that are fully available.
fn by_hand(
    frame: &DataFrame,
    sold_out: &BTreeMap<(String, String), bool>,
    model: &str,
    group: impl Fn(usize) -> usize,
) -> (f64, f64) {
    let names = ["unique_id", "ds", "model", "cutoff"].map(|name| texts(frame, name));
    let (mean, y) = (reals(frame, "mean"), reals(frame, "y"));
    let mut sums: BTreeMap<(String, String, usize), (f64, f64)> = BTreeMap::new();
    for at in 0..frame.height() {
        let [id, ds, of, cutoff] = names.each_ref().map(|texts| texts[at].clone());
        if of != model || sold_out[&(id.clone(), ds.clone())] {
            continue;
        }
        let series: usize = id[1..].parse().expect("a number");
        let sum = sums.entry((cutoff, ds, group(series))).or_default();
        *sum = (sum.0 + mean[at].expect("a mean"), sum.1 + y[at].expect("known"));
    }
    let actual: f64 = sums.values().map(|sum| sum.1).sum();
    let absolute: f64 = sums.values().map(|sum| (sum.0 - sum.1).abs()).sum();
    let error: f64 = sums.values().map(|sum| sum.0 - sum.1).sum();
    (absolute / actual, error / actual)
}

#[test]
fn sums_are_scored_and_brought_into_line() {
    let desk = Desk::open();
    let (panel, statics, args) = table();
    let input = desk.file("panel.csv", &panel);
    let at = desk.file("static.csv", &statics);
    let args = args.replace("static.csv", &at.to_string_lossy());
    let sold_out: BTreeMap<(String, String), bool> = panel
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            ((cells[0].to_owned(), cells[1].to_owned()), cells[3] != "1")
        })
        .collect();
    for how in ["auto", "on", "off"] {
        let frame = desk.forecasts(&input, how, &format!("{args} --reconcile {how}"));
        let scores = json(&desk.path(how).join("scores.json"));
        let levels = scores["levels"].as_array().expect("levels");
        let names: Vec<&str> =
            levels.iter().map(|level| level["level"].as_str().expect("a name")).collect();
        assert_eq!(names, ["all", "category", "city"]);
        let groups: [fn(usize) -> usize; 3] = [|_| 0, |series| series % 3, |series| series % 2];
        for (level, group) in levels.iter().zip(groups) {
            for model in ["auto", "ses", "seasonal_naive"] {
                let (wape, bias) = by_hand(&frame, &sold_out, model, group);
                let got = &level["models"][model];
                let near = |name: &str, want: f64| {
                    let got = got[name].as_f64().expect("a score");
                    assert!((got - want).abs() < 1e-9, "{how} {model} {name}: {got} {want}");
                };
                near("wape", wape);
                near("bias", bias);
            }
        }
        for window in scores["windows"].as_array().expect("windows") {
            let told = &window["reconciled"];
            match how {
                "off" => assert!(told.is_null()),
                "on" => assert_eq!(told["applied"], true),
                _ => assert!(told["levels"].as_array().is_some_and(|levels| levels.len() == 4)),
            }
        }
        let rows = parquet(&desk.path(how).join("scores.parquet"));
        let scopes = texts(&rows, "scope");
        assert_eq!(scopes.iter().filter(|scope| *scope == "level").count(), 9);
    }
}
