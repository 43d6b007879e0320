//! Time and forecasts of named models on series from a file, for `benches/peers/theta.py`, which
//! runs a peer on the same series in the same call.
//!
//! `cargo bench -p granary-models --bench theta -- FILE MODELS HORIZON SEASONS`: FILE has a series
//! a line, numbers with spaces between, `nan` where demand is missing; MODELS and SEASONS have
//! commas between (`-` for no season). One thread. Prints `time MODEL SECONDS`, the time of fitting
//! and forecasting all series, and a line `forecast MODEL SERIES NUMBERS...` for each.

use std::fmt::Write;
use std::time::Instant;

use granary_models::forecast::model::{History, Model};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [file, models, horizon, seasons] = &args[..] else {
        println!("usage: theta FILE MODELS HORIZON SEASONS");
        return;
    };
    let text = std::fs::read_to_string(file).expect("a readable file of series");
    let numbers = |line: &str| -> Vec<f64> {
        line.split_whitespace().map(|number| number.parse().expect("a number")).collect()
    };
    let panel: Vec<Vec<f64>> = text.lines().map(numbers).collect();
    let horizon: usize = horizon.parse().expect("a whole number of steps");
    let seasons: Vec<usize> = seasons.split(',').filter_map(|season| season.parse().ok()).collect();
    let mut lines = String::new();
    for name in models.split(',') {
        let model = Model::parse(name).expect("a model of the registry");
        let mut forecasts = vec![0.0; horizon * panel.len()];
        let begun = Instant::now();
        for (demand, out) in panel.iter().zip(forecasts.chunks_mut(horizon)) {
            let history = History::with_seasons(demand, &seasons);
            model.fit_or_fall_back(&history).0.forecast(out);
        }
        println!("time {name} {}", begun.elapsed().as_secs_f64());
        for (series, forecast) in forecasts.chunks(horizon).enumerate() {
            write!(lines, "forecast {name} {series}").expect("memory");
            forecast.iter().for_each(|mean| write!(lines, " {mean}").expect("memory"));
            lines.push('\n');
        }
    }
    print!("{lines}");
}
