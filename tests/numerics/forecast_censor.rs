//! Demand behind stock-outs is recovered without bias, where it is known because it was simulated.
//!
//! What the two usual ways would give is printed by `cargo test --test forecast_censor --
//! --nocapture`. Sales as demand are 10% or 25% low when a fifth or a half of the days close early,
//! and 2% to 40% low when the stock runs out. Leaving those days out is right in the first case and
//! 2% to 73% low in the second, for the days that stay are those on which little was asked for.
//!
//! A slow seller with exactly one unit every morning is the limit: sales of none or one hardly tell
//! how much its days differ, and half a unit a day of dispersion 1 comes out 7% too low.

use granary_models::forecast::censor::{DayShare, expected_demand};
use granary_models::forecast::mean::MeanDemand;
use granary_models::forecast::model::{Fitted, History};
use granary_models::series::FULLY_AVAILABLE;

const SERIES: usize = 250;
/// Of slow sellers, whose luck evens out later.
const SLOW_SERIES: usize = 1500;
const DAYS: usize = 250;
const WEEK: [f64; 7] = [0.76, 0.67, 0.81, 0.91, 1.19, 1.48, 1.18];
const BIAS_MAX: f64 = 0.01;

/// What ends the sales of a day.
#[derive(Clone, Copy, Debug)]
enum Outage {
    /// This share of the days closes at any time, whatever the demand.
    Closing(f64),
    /// Every morning there are one unit and as many more, on average Poisson, for this many times
    /// the mean demand.
    Stock(f64),
}

/// SplitMix64, so that the numbers are the same everywhere.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn exponential(random: &mut Random) -> f64 {
    -(1.0 - random.uniform()).ln()
}

fn poisson(random: &mut Random, mean: f64) -> usize {
    let mut time = exponential(random);
    let mut n = 0;
    while time < mean {
        time += exponential(random);
        n += 1;
    }
    n
}

/// One day: demand, sales, and the share of the day before the sales ended. Buyers come at a rate
/// that is a gamma with shape `1 / dispersion`, a whole number.
fn day(random: &mut Random, mean: f64, dispersion: f64, outage: Outage) -> (f64, f64, f64) {
    let rate = if dispersion > 0.0 {
        let shape = (1.0 / dispersion).round() as usize;
        (0..shape).map(|_| exponential(random)).sum::<f64>() * dispersion * mean
    } else {
        mean
    };
    let (closes, stock) = match outage {
        Outage::Closing(share) if random.uniform() < share => (random.uniform(), usize::MAX),
        Outage::Closing(_) => (1.0, usize::MAX),
        Outage::Stock(times) => (1.0, 1 + poisson(random, times * mean)),
    };
    let (mut demand, mut sold, mut open) = (0, 0, closes);
    let mut time = exponential(random) / rate;
    while time < 1.0 {
        demand += 1;
        if time < open && sold < stock {
            sold += 1;
            if sold == stock {
                open = time;
            }
        }
        time += exponential(random) / rate;
    }
    (demand as f64, sold as f64, open)
}

#[derive(Default)]
struct Totals {
    demand: f64,
    seen_demand: f64,
    recovered: f64,
    sold: f64,
    whole: f64,
    whole_days: f64,
    forecast: f64,
}

fn check(level: f64, dispersion: f64, outage: Outage) {
    let mut random = Random(11);
    let mut totals = Totals::default();
    let series = if level < 5.0 { SLOW_SERIES } else { SERIES };
    for _ in 0..series {
        let mut sold = Vec::with_capacity(DAYS);
        let mut available = Vec::with_capacity(DAYS);
        let mut demand = Vec::with_capacity(DAYS);
        for t in 0..DAYS {
            let (wanted, sales, open) = day(&mut random, level * WEEK[t % 7], dispersion, outage);
            demand.push(wanted);
            sold.push(sales);
            available.push(open as f32);
        }
        let recovered = expected_demand(&sold, &available, 7, &DayShare::default());
        for t in 0..DAYS {
            totals.demand += demand[t];
            totals.sold += sold[t];
            if !recovered[t].is_nan() {
                totals.seen_demand += demand[t];
                totals.recovered += recovered[t];
            }
            if available[t] >= FULLY_AVAILABLE {
                totals.whole += demand[t];
                totals.whole_days += 1.0;
            }
        }
        let mut mean = [0.0];
        MeanDemand::fit(&History::of(&recovered)).forecast(&mut mean);
        totals.forecast += mean[0] * DAYS as f64;
    }
    let days = (series * DAYS) as f64;
    let bias = totals.recovered / totals.seen_demand - 1.0;
    let forecast_bias = totals.forecast / totals.demand - 1.0;
    let whole_days = totals.whole / totals.whole_days / (totals.demand / days) - 1.0;
    let censored = 1.0 - totals.whole_days / days;
    println!(
        "level {level:4} dispersion {dispersion:4} {outage:?}: {:2.0}% censored; recovered {:+.2}%, \
         its mean {:+.2}%; whole days only {:+.1}%, sales {:+.1}%",
        100.0 * censored,
        100.0 * bias,
        100.0 * forecast_bias,
        100.0 * whole_days,
        100.0 * (totals.sold / totals.demand - 1.0),
    );
    assert!((0.15..=0.55).contains(&censored), "{level} {dispersion} {outage:?}: {censored}");
    assert!(bias.abs() < BIAS_MAX, "{level} {dispersion} {outage:?}: {bias}");
    assert!(forecast_bias.abs() < BIAS_MAX, "{level} {dispersion} {outage:?}: {forecast_bias}");
}

#[test]
fn outages_that_have_nothing_to_do_with_demand() {
    for level in [0.5, 2.0, 8.0, 50.0] {
        for dispersion in [0.0, 0.25, 1.0] {
            for share in [0.2, 0.5] {
                check(level, dispersion, Outage::Closing(share));
            }
        }
    }
}

#[test]
fn stock_that_runs_out() {
    for (level, times) in
        [(0.5, [1.5, 1.0]), (2.0, [1.2, 0.75]), (8.0, [1.2, 1.0]), (50.0, [1.2, 1.0])]
    {
        for dispersion in [0.0, 0.25, 1.0] {
            for times in times {
                check(level, dispersion, Outage::Stock(times));
            }
        }
    }
}
