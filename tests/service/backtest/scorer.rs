//! The shared scorer, which knows nothing of this program, gives the same numbers.

use super::*;

const PANEL: &str = r#"
import random, sys, datetime as dt
import polars as pl
what, out, shared = sys.argv[1:]
if what == "fresh":
    d = pl.scan_parquet(shared + "/data/fresh_retail/daily.parquet").with_columns(
        unique_id=pl.format("{}-{}", "store_id", "product_id"))
    ids = d.select(pl.col("unique_id").unique().sort()).collect()["unique_id"].gather_every(167).head(300)
    f = d.filter(pl.col("unique_id").is_in(ids.to_list())).select(
        "unique_id", ds="dt", y="sale_amount", available=1 - pl.col("stockout_hours_6_22") / 16.0,
        promo=(1 - pl.col("discount")).clip(0, 1), category=pl.col("first_category_id").cast(pl.String)).collect()
else:
    random.seed(3); rows = []
    for s in range(60):
        start = dt.date(2024, 1, 1) + dt.timedelta(days=random.randrange(90) if s % 4 else 0)
        days = 10 if s == 7 else (dt.date(2024, 6, 30) - start).days - (random.randrange(30) if s % 3 else 0)
        level = random.choice([0.2, 1, 5, 40])
        for k in range(days):
            if random.random() < 0.1: continue
            y = 0 if s == 3 else 9 if s == 4 else max(0, int(random.gauss(level, level ** 0.5)))
            rows.append((f"s{s}", start + dt.timedelta(days=k), None if random.random() < 0.05 else y,
                         random.choice([1.0] * 8 + [0.5, None])))
    random.shuffle(rows)
    f = pl.DataFrame(rows, schema={"unique_id": pl.String, "ds": pl.Date, "y": pl.Int32, "available": pl.Float64},
                     orient="row")
    if what == "narrow": f = f.with_columns(pl.col("y").cast(pl.Float32) / 7)
f.write_parquet(out)
"#;

fn python(desk: &Desk, arguments: &[&str]) -> Output {
    let output = Command::new("python3").args(arguments).current_dir(desk.folder.path()).output();
    let output = output.expect("python3 was there a moment ago");
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// The folder beside the repository, and a Python that can run the scorer; or why not.
fn scorer() -> Result<PathBuf, &'static str> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !shared.join("tools/score_backtest.py").exists() {
        return Err("there is no ../shared/tools/score_backtest.py");
    }
    let polars = Command::new("python3").args(["-c", "import polars"]).output();
    match polars {
        Ok(output) if output.status.success() => Ok(shared),
        Ok(_) => Err("python3 has no polars"),
        Err(_) => Err("there is no python3"),
    }
}

fn agree(path: &str, want: &serde_json::Value, got: &serde_json::Value) -> usize {
    if let Some(want) = want.as_object() {
        return want
            .iter()
            .map(|(key, value)| agree(&format!("{path}.{key}"), value, &got[key]))
            .sum();
    }
    let (Some(want), Some(got)) = (want.as_f64(), got.as_f64()) else {
        panic!("{path}: {want} and {got}");
    };
    let near = (want - got).abs() <= 1e-9 * want.abs();
    assert!(near, "{path}: the scorer says {want}, we say {got}");
    1
}

fn check(what: &str, args: &str, season: &str) {
    let shared = match scorer() {
        Ok(shared) => shared,
        Err(why) => return eprintln!("SKIPPED: {why}"),
    };
    let desk = Desk::open();
    let shared_text = shared.to_string_lossy().into_owned();
    if what == "fresh" && !shared.join("data/fresh_retail/daily.parquet").exists() {
        return eprintln!("SKIPPED: there is no ../shared/data/fresh_retail");
    }
    python(&desk, &["-c", PANEL, what, "panel.parquet", &shared_text]);
    desk.forecasts(&desk.path("panel.parquet"), "out", args);
    let program = shared.join("tools/score_backtest.py").to_string_lossy().into_owned();
    let output =
        python(&desk, &[&program, "out/forecasts.parquet", "panel.parquet", "--season", season]);
    let want: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let got = json(&desk.path("out").join("scores.json"));
    let models = want.as_object().expect("models").len();
    assert_eq!(models, got["models"].as_object().expect("models").len());
    let compared = agree(what, &want, &got["models"]);
    assert_eq!(compared, models * 14, "ten numbers and four coverages a model");
}

#[test]
fn scores_are_the_shared_scorer_s_on_fresh_retail() {
    check("fresh", "--freq D --horizon 7 --windows 2 --models auto,ses,pooled", "7");
}

#[test]
fn scores_are_the_shared_scorer_s_on_gaps_and_censored_days() {
    check("gaps", "--freq D --horizon 14 --windows 4 --step 5 --models auto,tsb", "7");
    check("narrow", "--freq D --horizon 10 --windows 2 --season 3 --models theta", "3");
}
