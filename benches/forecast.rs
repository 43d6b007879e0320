//! Time and quality of a panel's forecast on the simulated retailer of the tests.
//!
//! `cargo bench -p granary-models --bench forecast -- 4000 730 42` forecasts 4,000 series of 730
//! days 42 days ahead, with all threads, and prints the seconds of each part and the scores of the
//! backtest and of the horizon that came true. Names of models after the numbers join the portfolio. Set `RAYON_NUM_THREADS` for another thread count.

#[path = "../tests/numerics/retail.rs"]
mod retail;

use std::time::Instant;

use granary_models::backtest::panel::{ForecastConfig, forecast_panel};
use granary_models::backtest::scores::{ScoreRow, ScoreSums};
use granary_models::distribution::paths::PathPlan;
use granary_models::forecast::model::Model;
use retail::Retail;

fn main() {
    // Cargo adds `--bench`; anything that is no number is not ours.
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let at = |k: usize, otherwise: usize| numbers.get(k).copied().unwrap_or(otherwise);
    let (series, days, horizon_days) = (at(0, 1000), at(1, 365), at(2, 28));
    let retail = Retail::simulate(series, days, horizon_days, 77);

    let begun = Instant::now();
    let mut config = ForecastConfig { horizon_days, ..ForecastConfig::default() };
    config.models.extend(std::env::args().skip(1).filter_map(|name| Model::parse(&name)));
    let result = forecast_panel(&retail.input(), &config).expect("the simulation fits together");
    println!("{series} series x {days} days, horizon {horizon_days}");
    println!("forecast_panel {:.2} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let plan = PathPlan::new(500, horizon_days, 1);
    println!("rank tables    {:.3} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    let units: f64 = result.series.iter().map(|s| f64::from(s.paths(&plan).values[0])).sum();
    println!("500 paths each {:.2} s on one thread ({units})", begun.elapsed().as_secs_f64());

    println!(
        "{:14} {:15} {:>6} {:>7} {:>7} {:>8} {:>6}",
        "class", "model", "series", "wape", "bias", "pinball", "in 90%"
    );
    let mut truth = ScoreSums { series: series as f64, ..ScoreSums::default() };
    for (forecast, actual) in result.series.iter().zip(retail.truth.chunks(horizon_days)) {
        for (day, &actual) in actual.iter().enumerate() {
            truth.add(forecast.mean[day], &forecast.quantiles(day), actual);
        }
    }
    let truth = ScoreRow::new("came true", "chosen", &truth);
    for row in result.scores.iter().filter(|row| row.class == "all").chain([&truth]) {
        println!(
            "{:14} {:15} {:6} {:7.4} {:+7.4} {:8.4} {:6.3}",
            row.class, row.model, row.series, row.wape, row.bias, row.pinball, row.coverage_90
        );
    }
}
