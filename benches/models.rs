//! What every model of the registry costs: a fit, one more step, a forecast of four weeks.
//!
//! `cargo bench -p granary-models --bench models -- 730` fits each model to 64 daily series of 730
//! days of the tests' retailer, on one thread, and prints microseconds a series.

#[allow(dead_code)]
#[path = "../tests/numerics/retail.rs"]
mod retail;

use std::hint::black_box;
use std::time::Instant;

use granary_models::forecast::model::{FittedModel, History, Model, seen_demand};
use retail::Retail;

const SERIES: usize = 64;
const FURTHER: usize = 200;

fn main() {
    let days = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(730);
    let retail = Retail::simulate(SERIES, days, 28, 5);
    let series: Vec<Vec<f64>> = (0..SERIES).map(|i| seen_demand(&retail.panel.series(i))).collect();
    println!("{:26} {:>10} {:>10} {:>12}", "µs a series", "fit", "update", "forecast 28");
    for model in Model::ALL {
        let begun = Instant::now();
        let mut fitted: Vec<FittedModel> =
            series.iter().filter_map(|demand| model.fit(&History::of(demand)).ok()).collect();
        let fit = begun.elapsed();
        if fitted.is_empty() {
            continue;
        }
        let n = fitted.len() as f64;
        let begun = Instant::now();
        for fitted in &mut fitted {
            series[0][..FURTHER].iter().for_each(|&demand| fitted.update(black_box(demand)));
        }
        let update = begun.elapsed();
        let mut out = [0.0; 28];
        let begun = Instant::now();
        for fitted in &fitted {
            fitted.forecast(&mut out);
            black_box(&out);
        }
        let forecast = begun.elapsed();
        let micros = |time: std::time::Duration, times: f64| time.as_secs_f64() * 1e6 / times;
        println!(
            "{:26} {:10.1} {:10.4} {:12.3}",
            model.as_str(),
            micros(fit, n),
            micros(update, n * FURTHER as f64),
            micros(forecast, n)
        );
    }
}
