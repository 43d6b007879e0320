//! Forecasts and their time of exponential smoothing on one thread, a model at a time.
//!
//! `cargo bench -p granary-models --bench ets` prints microseconds a series for each model on
//! simulated retail histories of 76 days, the night's own case.
//!
//! `cargo bench -p granary-models --bench ets -- SERIES FORECASTS [MODEL]` forecasts every line of
//! a text file: name, season (1 for none), horizon and the values with spaces between, separated by
//! tabs. A line of the output has the name, the fitted model, nanoseconds and the means.
//! `benches/peers/ets.py` makes such files and runs a peer on the same series.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::Instant;

use granary_models::forecast::ets::{AutoEts, Choice, Ets};
use granary_models::forecast::model::{Fitted, FittedModel, History, Model};

const NIGHT_SERIES: usize = 2000;
const NIGHT_DAYS: usize = 76;
const NIGHT_ROUNDS: usize = 7;
const NIGHT_MODELS: [Model; 6] = [
    Model::EtsSeasonal,
    Model::EtsDamped,
    Model::Holt,
    Model::HoltWinters,
    Model::HoltWintersMult,
    Model::AutoEts,
];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match words.as_slice() {
        [series, forecasts] => forecast_file(series, forecasts, "auto_ets"),
        [series, forecasts, model] => forecast_file(series, forecasts, model),
        _ => {
            time_night();
            Ok(())
        }
    }
}

fn forecast_file(series: &str, forecasts: &str, model: &str) -> Result<(), Box<dyn Error>> {
    let mut lines = String::new();
    for line in fs::read_to_string(series)?.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or("a line has four fields");
        let (name, season, horizon) =
            (field()?, field()?.parse::<usize>()?, field()?.parse::<usize>()?);
        let demand = field()?.split(' ').map(str::parse).collect::<Result<Vec<f64>, _>>()?;
        let seasons = [season];
        let history = History::with_seasons(&demand, if season > 1 { &seasons } else { &[] });
        let mut mean = vec![0.0; horizon];
        let begun = Instant::now();
        let fitted = fit(model, &history)?;
        fitted.forecast(&mut mean);
        let nanoseconds = begun.elapsed().as_nanos();
        let mean: Vec<String> = mean.iter().map(f64::to_string).collect();
        writeln!(lines, "{name}\t{}\t{nanoseconds}\t{}", fitted.spec().as_str(), mean.join(" "))?;
    }
    Ok(fs::write(forecasts, lines)?)
}

/// A model of the registry, or `auto_ets_aicc`: AutoETS by AICc alone.
fn fit(model: &str, history: &History) -> Result<Ets, Box<dyn Error>> {
    if model == "auto_ets_aicc" {
        return Ok(AutoEts { choice: Choice::Aicc, ..AutoEts::default() }.fit(history)?);
    }
    match Model::parse(model).ok_or("an unknown model")?.fit(history)? {
        FittedModel::EtsSeasonal(fitted)
        | FittedModel::EtsDamped(fitted)
        | FittedModel::Holt(fitted)
        | FittedModel::HoltWinters(fitted)
        | FittedModel::HoltWintersMult(fitted)
        | FittedModel::AutoEts(fitted) => Ok(fitted),
        _ => Err("no exponential smoothing".into()),
    }
}

fn time_night() {
    let mut x = 1u64;
    let mut draw = |mean: f64| {
        // Poisson by counting exponential gaps.
        let (mut gap, mut sold) = (0.0, -1.0);
        while gap < mean {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            gap -= ((x >> 11) as f64 / (1u64 << 53) as f64).max(1e-300).ln();
            sold += 1.0;
        }
        sold
    };
    let week = [0.8, 0.9, 0.9, 1.0, 1.2, 1.3, 0.9];
    let demand: Vec<f64> = (0..NIGHT_SERIES * NIGHT_DAYS)
        .map(|k| draw(week[k % NIGHT_DAYS % 7] * (1.0 + (k / NIGHT_DAYS % 9) as f64)))
        .collect();
    for model in NIGHT_MODELS {
        // The least of some rounds is what other work on the machine has disturbed least.
        let round = |_| {
            let begun = Instant::now();
            for demand in demand.chunks(NIGHT_DAYS) {
                black_box(model.fit(&History::of(demand)).ok());
            }
            begun.elapsed().as_secs_f64()
        };
        let seconds = (0..NIGHT_ROUNDS).map(round).fold(f64::INFINITY, f64::min);
        let microseconds = seconds * 1e6 / NIGHT_SERIES as f64;
        println!("{:18} {microseconds:8.2} us a series of {NIGHT_DAYS} days", model.as_str());
    }
}
