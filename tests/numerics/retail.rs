//! A small retailer whose true demand is known.

use granary_models::calendar::Day;
use granary_models::forecast::drivers::{EventWindow, ForecastInput, Region, SeriesMeta, Weather};
use granary_models::series::Panel;

/// SplitMix64, so that the numbers are the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        // Twelve uniforms: normal enough for noise.
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Poisson, by inversion in steps of at most 30.
    fn poisson(&mut self, mut mean: f64) -> f64 {
        let mut total = 0.0;
        while mean > 0.0 {
            let part = mean.min(30.0);
            mean -= part;
            let mut product = self.uniform();
            while product > (-part).exp() {
                product *= self.uniform();
                total += 1.0;
            }
        }
        total
    }

    /// Negative binomial with variance `mean + dispersion * mean^2`: a Poisson whose mean is a
    /// gamma, here the Wilson–Hilferty cube of a normal.
    pub fn count(&mut self, mean: f64, dispersion: f64) -> f64 {
        let ninth = dispersion / 9.0;
        let cube = (1.0 - ninth + self.normal() * ninth.sqrt()).max(0.0).powi(3);
        self.poisson(mean * cube)
    }
}

/// True effects that the forecasts should find.
pub const PROMO_UPLIFT_PER_DEPTH: f64 = 2.5;
pub const FESTIVAL_UPLIFT: f64 = 1.8;

#[derive(Clone)]
pub struct Retail {
    pub panel: Panel,
    pub meta: Vec<SeriesMeta>,
    pub categories: Vec<String>,
    pub regions: Vec<Region>,
    /// Demand of the horizon that came true, `truth[series * horizon + day]`.
    pub truth: Vec<f64>,
}

impl Retail {
    pub fn input(&self) -> ForecastInput<'_> {
        ForecastInput {
            panel: &self.panel,
            meta: &self.meta,
            categories: &self.categories,
            regions: &self.regions,
        }
    }

    /// Weekly and annual season by category, promotions with a dip after, a festival thrice a year,
    /// cold-driven categories, slowly moving levels, negative binomial noise, days out of stock.
    pub fn simulate(series: usize, days: usize, horizon: usize, seed: u64) -> Retail {
        let categories: Vec<String> = (0..6).map(|c| format!("category-{c}")).collect();
        let start = Day::from_ymd(2023, 3, 1).expect("a date");
        let all = days + horizon;
        let mut random = Random(seed);
        let (regions, cold) = regions(start, all, &mut random);
        let mut retail = Retail {
            panel: Panel { offsets: vec![0], horizon_days: horizon, ..Panel::default() },
            meta: Vec::new(),
            categories,
            regions,
            truth: Vec::new(),
        };
        for i in 0..series {
            let category = i % 6;
            let region = i % 2;
            retail.meta.push(SeriesMeta {
                key: i as u64 * 7919,
                category: category as u32,
                item: i as u32,
                region: region as u32,
                weather_region: region as u32,
                location: i as u32 % 12,
            });
            retail.panel.start.push(start);
            retail.add_series(i, all, &cold[region], &mut random);
        }
        retail
    }

    fn add_series(&mut self, i: usize, all: usize, cold: &[f64], random: &mut Random) {
        let horizon = self.panel.horizon_days;
        let (category, region) = (i % 6, i % 2);
        let start = self.panel.start[i];
        let depths = promotions(all, random);
        let mut level = (1.6 + 1.1 * random.normal()).exp();
        let week: Vec<f64> =
            (0..7).map(|d| if d >= 5 { 0.25 } else { 0.0 } + 0.08 * random.normal()).collect();
        let annual = 0.15 + 0.1 * category as f64;
        let dispersion = 0.1 + 0.2 * random.uniform();
        for t in 0..all {
            let day = start + t as i32;
            level *= (0.012 * random.normal()).exp();
            let season = annual
                * (std::f64::consts::TAU * f64::from(day.day_of_year()) / 365.25 + category as f64)
                    .sin();
            let dip = (1..=3).any(|k| t >= k && depths[t - k] > 0.0) && depths[t] == 0.0;
            let festival = self.regions[region]
                .events
                .iter()
                .any(|event| event.starts_on <= day && day <= event.ends_on);
            let log = week[day.weekday()]
                + season
                + PROMO_UPLIFT_PER_DEPTH * f64::from(depths[t])
                + if dip { -0.25 } else { 0.0 }
                + if festival { FESTIVAL_UPLIFT.ln() } else { 0.0 }
                + if category == 0 { 0.5 * cold[t] } else { 0.0 };
            let demand = random.count(level * log.exp(), dispersion);
            self.panel.promo_depth.push(depths[t]);
            self.panel.price_ratio.push(1.0);
            if t < all - horizon {
                let available = if random.uniform() < 0.06 { random.uniform() } else { 1.0 };
                self.panel.sold.push((demand * available).floor());
                self.panel.available.push(available as f32);
            } else {
                self.truth.push(demand);
            }
        }
        self.panel.offsets.push(self.panel.sold.len());
    }
}

/// Five to nine days of 10 to 40 percent off, about every seven weeks.
fn promotions(all: usize, random: &mut Random) -> Vec<f32> {
    let mut depths = vec![0.0; all];
    let mut t = (random.uniform() * 40.0) as usize;
    while t < all {
        let days = 5 + (random.uniform() * 5.0) as usize;
        let depth = 0.1 + 0.1 * (random.uniform() * 4.0).floor() as f32;
        depths[t..(t + days).min(all)].fill(depth);
        t += days + 25 + (random.uniform() * 40.0) as usize;
    }
    depths
}

/// Two regions, and how cold it was in each in tens of degrees below ten.
fn regions(start: Day, all: usize, random: &mut Random) -> (Vec<Region>, Vec<Vec<f64>>) {
    let mut regions = Vec::new();
    let mut cold = Vec::new();
    for warmer in [0.0, 8.0] {
        let mut anomaly = 0.0;
        let mut temperature_c = Vec::new();
        for t in 0..all {
            let day = start + t as i32;
            anomaly = 0.8 * anomaly + 2.0 * random.normal();
            let wave = -(std::f64::consts::TAU * f64::from(day.day_of_year()) / 365.25).cos();
            temperature_c.push((12.0 + warmer + 12.0 * wave + anomaly) as f32);
        }
        cold.push(temperature_c.iter().map(|&t| f64::from((10.0 - t).max(0.0)) / 10.0).collect());
        let windows = (0..all as i32 / 121 + 1).map(|k| EventWindow {
            name: "festival".to_owned(),
            category: String::new(),
            starts_on: start + (40 + 121 * k),
            ends_on: start + (44 + 121 * k),
            lead_days: 3,
            lag_days: 3,
            ..EventWindow::default()
        });
        let precipitation_mm = vec![0.0; all];
        let weather = Weather { start, temperature_c, precipitation_mm, ..Weather::default() };
        regions.push(Region { events: windows.collect(), weather: Some(weather) });
    }
    (regions, cold)
}
