//! Boosted trees on a table like a panel's: seconds to fit and to score, and what is left unsaid.
//!
//! `cargo bench -p granary-models --bench trees -- [ROWS] [ROUNDS] [LEAVES]` fits a Tweedie booster
//! on a seeded table of 40 features and prints seconds and the deviance of rows held out.
//!
//! `... -- write FOLDER ROWS` writes the same table as raw 32-bit floats, for
//! `benches/peers/lightgbm_trees.py` to fit on the very same rows.

use std::error::Error;
use std::fs;
use std::time::Instant;

use granary_models::forecast::trees::bins::{BinEdges, TrainingRows};
use granary_models::forecast::trees::booster::{BoostConfig, Booster};
use granary_models::forecast::trees::objective::Objective;
use rayon::prelude::*;

const COLUMNS: usize = 40;
const DAYS: usize = 70;
const POWER: f64 = 1.5;
const SAMPLE_ROWS: usize = 200_000;

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [write, folder, rows] = words.as_slice()
        && write == "write"
    {
        return write_table(folder, rows.parse()?);
    }
    let number = |at: usize, other: usize| words.get(at).map_or(Ok(other), |word| word.parse());
    measure(number(0, 1_000_000)?, number(1, 200)?, number(2, 64)?)
}

fn measure(rows: usize, rounds: usize, leaves: usize) -> Result<(), Box<dyn Error>> {
    let (train, test) = (Table::make(rows, 1), Table::make(rows / 5, 2));
    let begun = Instant::now();
    let every = rows.div_ceil(SAMPLE_ROWS);
    let sample: Vec<f32> =
        train.features.chunks_exact(COLUMNS).step_by(every).flatten().copied().collect();
    let edges = BinEdges::learn(&sample, COLUMNS);
    let learned = begun.elapsed().as_secs_f64();
    let bins = train.bins(&edges);
    let mut table = TrainingRows::new(COLUMNS);
    table.reserve(rows);
    for (row, &target) in bins.chunks_exact(COLUMNS).zip(&train.target) {
        table.push(row, target, 1.0, 0.0);
    }
    let binned = begun.elapsed().as_secs_f64();
    let config = BoostConfig {
        objective: Objective::Tweedie { power: POWER },
        rounds,
        leaves,
        ..BoostConfig::default()
    };
    let booster = Booster::fit(edges, &table, &config)?;
    let fitted = begun.elapsed().as_secs_f64();
    let test_bins = test.bins(booster.edges());
    let test_binned = begun.elapsed().as_secs_f64();
    let mut scores = vec![0.0; test.target.len()];
    booster.scores(&test_bins, &mut scores);
    let scored = begun.elapsed().as_secs_f64();
    println!(
        "{rows} rows x {COLUMNS}, {rounds} trees x {leaves} leaves, {} threads: edges {learned:.2} \
         s, bins {:.2} s, fit {:.2} s, score {} rows {:.3} s",
        rayon::current_num_threads(),
        binned - learned,
        fitted - binned,
        scores.len(),
        scored - test_binned,
    );
    test.print(&scores);
    Ok(())
}

/// A table of series by days: levels, lags, calendar, promotion, weather, groups and noise.
struct Table {
    features: Vec<f32>,
    target: Vec<f32>,
    mean: Vec<f32>,
}

impl Table {
    fn make(rows: usize, seed: u64) -> Self {
        let series = rows.div_ceil(DAYS);
        let blocks: Vec<Self> =
            (0..series).into_par_iter().map(|i| Self::series(i as u64, seed)).collect();
        let mut table = Self { features: Vec::new(), target: Vec::new(), mean: Vec::new() };
        for block in blocks {
            table.features.extend(block.features);
            table.target.extend(block.target);
            table.mean.extend(block.mean);
        }
        table.features.truncate(rows * COLUMNS);
        table.target.truncate(rows);
        table.mean.truncate(rows);
        table
    }

    fn series(series: u64, seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9).wrapping_add(series << 20));
        let group = (random.unit() * 40.0).floor();
        let shop = (random.unit() * 600.0).floor();
        let level = (0.4 * (group % 7.0) - 1.0 + random.normal() * 0.8).exp();
        let elasticity = 0.5 + 2.0 * ((group * 7.0) % 10.0) / 10.0;
        let mut made = Self { features: Vec::new(), target: Vec::new(), mean: Vec::new() };
        for day in 0..DAYS {
            let weekday = day % 7;
            let discount = if random.unit() < 0.15 { 0.1 + 0.4 * random.unit() } else { 0.0 };
            let temperature = 15.0 + 10.0 * (day as f64 / 20.0).sin() + 3.0 * random.normal();
            let warm = if group < 10.0 { 0.04 * (temperature - 15.0) } else { 0.0 };
            let weekend = if weekday >= 5 { 0.3 + 0.02 * (group % 5.0) } else { 0.0 };
            let mean = level * (elasticity * discount * 2.0 + warm + weekend).exp();
            let near = |random: &mut Random| level * (0.35 * random.normal()).exp();
            let mut row = vec![
                near(&mut random) as f32,
                near(&mut random) as f32,
                weekday as f32,
                discount as f32,
                temperature as f32,
                group as f32,
                shop as f32,
                day as f32,
            ];
            while row.len() < 24 {
                row.push(near(&mut random) as f32);
            }
            while row.len() < COLUMNS {
                let missing = row.len() % 4 == 0 && random.unit() < 0.2;
                row.push(if missing { f32::NAN } else { random.normal() as f32 });
            }
            made.features.extend(row);
            made.target.push(random.compound(mean) as f32);
            made.mean.push(mean as f32);
        }
        made
    }

    fn bins(&self, edges: &BinEdges) -> Vec<u8> {
        let mut bins = vec![0; self.features.len()];
        bins.par_chunks_mut(COLUMNS)
            .zip(self.features.par_chunks(COLUMNS))
            .for_each(|(bins, row)| edges.bin_row(row, bins));
        bins
    }

    fn print(&self, scores: &[f32]) {
        let tweedie = Objective::Tweedie { power: POWER };
        let (mut loss, mut squares, mut absolute, mut sum) = (0.0, 0.0, 0.0, 0.0);
        for ((&y, &mean), &score) in self.target.iter().zip(&self.mean).zip(scores) {
            let predicted = f64::from(tweedie.predict(score));
            loss += tweedie.loss(y, score);
            squares += (predicted - f64::from(y)).powi(2);
            absolute += (predicted - f64::from(mean)).abs();
            sum += f64::from(mean);
        }
        let rows = scores.len() as f64;
        println!(
            "held out: loss {:.5}, RMSE {:.5}, error of the mean {:.4}",
            loss / rows,
            (squares / rows).sqrt(),
            absolute / sum
        );
    }
}

fn write_table(folder: &str, rows: usize) -> Result<(), Box<dyn Error>> {
    for (name, table) in [("train", Table::make(rows, 1)), ("test", Table::make(rows / 5, 2))] {
        let parts =
            [("features", &table.features), ("target", &table.target), ("mean", &table.mean)];
        for (part, values) in parts {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(format!("{folder}/{name}_{part}.f32"), bytes)?;
        }
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((x ^ (x >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A Poisson number of exponential sizes: Tweedie with power 1.5.
    fn compound(&mut self, mean: f64) -> f64 {
        let (mut sum, mut arrival) = (0.0, -self.unit().ln());
        while arrival < mean {
            sum -= self.unit().ln();
            arrival -= self.unit().ln();
        }
        sum
    }
}
