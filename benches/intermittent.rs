//! Time and forecasts of the window and intermittent models on series of a text file, to be laid
//! beside a peer's by `benches/peers/intermittent.py`, which writes the file and runs this.
//!
//! `cargo bench -p granary-models --bench intermittent -- FILE` reads a series a line, numbers
//! between spaces, and prints the microseconds a series of each model on one thread; the forecasts
//! go to `FILE.forecasts`, a line a model and series.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use granary_models::forecast::adida::Adida;
use granary_models::forecast::censor::{DayShare, expected_demand};
use granary_models::forecast::croston::Croston;
use granary_models::forecast::demand_class::DemandClass;
use granary_models::forecast::imapa::Imapa;
use granary_models::forecast::model::{FitError, Fitted, History};
use granary_models::forecast::naive::Naive;
use granary_models::forecast::random_walk_with_drift::RandomWalkWithDrift;
use granary_models::forecast::seasonal_naive::SeasonalNaive;
use granary_models::forecast::seasonal_window_average::SeasonalWindowAverage;
use granary_models::forecast::ses::Ses;
use granary_models::forecast::tsb::Tsb;
use granary_models::forecast::window_average::WindowAverage;

const HORIZON: usize = 28;
/// The fastest of so many passes over all series counts: the machine may have other work.
const PASSES: usize = 7;

type Forecast = fn(&History, &mut [f64]) -> Result<(), FitError>;

fn with<F: Fitted>(fitted: Result<F, FitError>, out: &mut [f64]) -> Result<(), FitError> {
    fitted.map(|fitted| fitted.forecast(out))
}

/// With the constants that the peer's script gives its models.
const MODELS: [(&str, Forecast); 12] = [
    ("Naive", |h, out| with(Naive::fit(h), out)),
    ("SeasonalNaive", |h, out| with(SeasonalNaive::fit(h), out)),
    ("RandomWalkWithDrift", |h, out| with(RandomWalkWithDrift::fit(h), out)),
    ("WindowAverage", |h, out| with(WindowAverage::with_window(h, 14), out)),
    ("SeasonalWindowAverage", |h, out| with(SeasonalWindowAverage::with_values(h, 4), out)),
    ("SimpleExponentialSmoothing", |h, out| with(Ses::with_alpha(h, 0.2), out)),
    ("CrostonClassic", |h, out| with(Croston::classic(h), out)),
    ("CrostonSBA", |h, out| with(Croston::sba(h), out)),
    ("TSB", |h, out| with(Tsb::with_alphas(h, 0.2, 0.1), out)),
    ("CrostonOptimized", |h, out| with(Croston::optimized(h), out)),
    ("ADIDA", |h, out| with(Adida::fit(h), out)),
    ("IMAPA", |h, out| with(Imapa::fit(h), out)),
];

fn main() {
    // Cargo adds `--bench`.
    let Some(file) = std::env::args().skip(1).find(|a| !a.starts_with("--")) else {
        println!("no file of series given; benches/peers/intermittent.py writes one");
        return;
    };
    let text = std::fs::read_to_string(&file).expect("the file of series can be read");
    let number = |n: &str| n.parse::<f64>().expect("a number");
    let series: Vec<Vec<f64>> =
        text.lines().map(|line| line.split(' ').map(number).collect()).collect();
    let mut forecasts = String::new();
    for (name, forecast) in MODELS {
        let mut out = [0.0; HORIZON];
        for demand in &series {
            // Without a sale nothing will be sold.
            if forecast(&History::of(demand), &mut out).is_err() {
                out.fill(0.0);
            }
            forecasts.push_str(name);
            out.iter().for_each(|mean| write!(forecasts, " {mean}").expect("a string grows"));
            forecasts.push('\n');
        }
        let micros = fastest(&series, |demand| {
            let _ = black_box(forecast(&History::of(demand), &mut out));
            black_box(&out);
        });
        println!("{name} {micros:.4}");
    }
    let micros = fastest(&series, |demand| {
        black_box(DemandClass::of(demand));
    });
    println!("DemandClass {micros:.4}");
    // Every third day closed at half of its hours and sold what it could.
    let available: Vec<f32> =
        (0..series[0].len()).map(|t| if t % 3 == 1 { 0.5 } else { 1.0 }).collect();
    let micros = fastest(&series, |sold| {
        black_box(expected_demand(sold, &available, 7, &DayShare::default()));
    });
    println!("expected_demand {micros:.4}");
    std::fs::write(format!("{file}.forecasts"), forecasts).expect("the forecasts can be written");
}

/// Microseconds a series in the fastest pass.
fn fastest(series: &[Vec<f64>], mut run: impl FnMut(&[f64])) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..PASSES {
        let begun = Instant::now();
        series.iter().for_each(|demand| run(black_box(demand)));
        least = least.min(begun.elapsed().as_secs_f64());
    }
    1e6 * least / series.len() as f64
}
