//! Sums of a market whose true demand is known: how uncertain they are, and whether forecasts that
//! are brought into line with them are the better for it.

use std::collections::HashMap;

use granary_models::backtest::levels::Reconcile;
use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{
    ForecastConfig, PanelForecast, forecast_night, forecast_panel,
};
use granary_models::calendar::Day;
use granary_models::distribution::luck::SharedLuck;
use granary_models::distribution::paths::PathPlan;
use granary_models::forecast::drivers::{ForecastInput, Region, SeriesMeta};
use granary_models::forecast::model::Model;
use granary_models::series::Panel;

use crate::retail::Random;

const HORIZON: usize = 14;
const CATEGORIES: usize = 6;

/// Series of a few categories, each with a level of its own, moved by what all and what each
/// category have in common.
#[derive(Clone, Copy)]
struct Market {
    per_category: usize,
    days: usize,
    mean: f64,
    dispersion: f64,
    /// Standard deviation of the log of what a day has in common: in all, and in a category.
    all: f64,
    of_category: f64,
    /// How much of a day's common part goes on to the next.
    lasts: f64,
    /// Share of days on which the stock runs out.
    sold_out: f64,
}

const CALM: Market = Market {
    per_category: 20,
    days: 150,
    mean: 8.0,
    dispersion: 0.1,
    all: 0.0,
    of_category: 0.0,
    lasts: 0.0,
    sold_out: 0.0,
};

struct Sold {
    panel: Panel,
    meta: Vec<SeriesMeta>,
    categories: Vec<String>,
    /// `truth[series * HORIZON + day]`.
    truth: Vec<f64>,
}

impl Market {
    fn sell(&self, seed: u64) -> Sold {
        let mut random = Random(seed);
        let all_days = self.days + HORIZON;
        let mut common = |deviation: f64| -> Vec<f64> {
            let fresh = deviation * (1.0 - self.lasts * self.lasts).sqrt();
            let mut value = deviation * random.normal();
            let mut next = || {
                let now = value;
                value = self.lasts * value + fresh * random.normal();
                now
            };
            (0..all_days).map(|_| next()).collect()
        };
        let of_all = common(self.all);
        let of_category: Vec<Vec<f64>> =
            (0..CATEGORIES).map(|_| common(self.of_category)).collect();
        let mut sold = Sold {
            panel: Panel { offsets: vec![0], horizon_days: HORIZON, ..Panel::default() },
            meta: Vec::new(),
            categories: (0..CATEGORIES).map(|c| format!("category-{c}")).collect(),
            truth: Vec::new(),
        };
        for i in 0..CATEGORIES * self.per_category {
            let category = i % CATEGORIES;
            let level = self.mean * (0.5 * random.normal()).exp();
            for day in 0..all_days {
                let log = of_all[day] + of_category[category][day];
                let demand = random.count(level * log.exp(), self.dispersion);
                if day >= self.days {
                    sold.truth.push(demand);
                    continue;
                }
                let out = random.uniform() < self.sold_out;
                sold.panel.sold.push(if out { (0.5 * demand).floor() } else { demand });
                sold.panel.available.push(if out { 0.6 } else { 1.0 });
            }
            sold.panel.offsets.push(sold.panel.sold.len());
            sold.panel.start.push(Day(19_000));
            sold.panel.promo_depth.extend(vec![0.0; all_days]);
            sold.panel.price_ratio.extend(vec![1.0; all_days]);
            sold.meta.push(SeriesMeta {
                key: i as u64 * 7919 + 5,
                category: category as u32,
                item: i as u32,
                ..SeriesMeta::default()
            });
        }
        sold
    }
}

fn config(reconcile: Reconcile) -> ForecastConfig {
    let models = vec![
        Model::SeasonalNaive,
        Model::Mean,
        Model::Ses,
        Model::EtsSeasonal,
        Model::Sba,
        Model::BlendMedian,
    ];
    ForecastConfig { horizon_days: HORIZON, models, reconcile, ..ForecastConfig::default() }
}

impl Sold {
    fn with<T>(&self, of: impl FnOnce(&ForecastInput) -> T) -> T {
        let regions = [Region::default()];
        let (panel, meta, categories) = (&self.panel, &self.meta, &self.categories);
        of(&ForecastInput { panel, meta, categories, regions: &regions })
    }

    fn forecast(&self, reconcile: Reconcile) -> PanelForecast {
        self.with(|input| forecast_panel(input, &config(reconcile)).expect("the input fits"))
    }

    /// Sums of absolute errors of series and of categories.
    fn errors(&self, made: &PanelForecast) -> (f64, f64) {
        let (mut series, mut sums) = (0.0, 0.0);
        for day in 0..HORIZON {
            let mut of_category = [0.0; CATEGORIES];
            for (i, forecast) in made.series.iter().enumerate() {
                let error = forecast.mean[day] - self.truth[i * HORIZON + day];
                series += error.abs();
                of_category[i % CATEGORIES] += error;
            }
            sums += of_category.iter().map(|error| error.abs()).sum::<f64>();
        }
        (series, sums)
    }

    /// How often the totals of categories lie in the central 80% of their paths: of days and of
    /// fortnights.
    fn coverage(&self, made: &PanelForecast, alone: bool) -> (f64, f64) {
        const PATHS: usize = 400;
        let plan = PathPlan::new(PATHS, HORIZON, 4);
        let mut paths = vec![[0.0; CATEGORIES]; PATHS * (HORIZON + 1)];
        let mut truth = [[0.0; CATEGORIES]; HORIZON + 1];
        for (i, forecast) in made.series.iter().enumerate() {
            let mut forecast = forecast.clone();
            forecast.shared = if alone { SharedLuck::default() } else { forecast.shared };
            let drawn = forecast.paths(&plan);
            let category = i % CATEGORIES;
            for day in 0..HORIZON {
                truth[day][category] += self.truth[i * HORIZON + day];
                truth[HORIZON][category] += self.truth[i * HORIZON + day];
                for path in 0..PATHS {
                    let demand = f64::from(drawn.path(path)[day]);
                    paths[day * PATHS + path][category] += demand;
                    paths[HORIZON * PATHS + path][category] += demand;
                }
            }
        }
        let inside = |window: usize, category: usize| {
            let of = &paths[window * PATHS..(window + 1) * PATHS];
            let mut totals: Vec<f64> = of.iter().map(|path| path[category]).collect();
            totals.sort_by(f64::total_cmp);
            let actual = truth[window][category];
            f64::from(u8::from(
                totals[PATHS / 10] <= actual && actual <= totals[PATHS * 9 / 10 - 1],
            ))
        };
        let cells = (0..HORIZON).flat_map(|day| (0..CATEGORIES).map(move |c| (day, c)));
        let days: f64 = cells.map(|(day, c)| inside(day, c)).sum();
        let fortnights: f64 = (0..CATEGORIES).map(|c| inside(HORIZON, c)).sum();
        (days / (HORIZON * CATEGORIES) as f64, fortnights / CATEGORIES as f64)
    }
}

#[test]
fn intervals_of_totals_hold() {
    let shaken = Market { all: 0.08, of_category: 0.15, ..CALM };
    for (market, lone_most) in [
        (CALM, 1.0),
        (shaken, 0.6),
        (Market { of_category: 0.25, lasts: 0.8, ..CALM }, 0.6),
        (Market { mean: 1.5, sold_out: 0.1, ..shaken }, 0.7),
    ] {
        let (mut days, mut lone) = (0.0, 0.0);
        let seeds = 4;
        for seed in 0..seeds {
            let sold = market.sell(70 + seed);
            let made = sold.forecast(Reconcile::Off);
            days += sold.coverage(&made, false).0 / seeds as f64;
            lone += sold.coverage(&made, true).0 / seeds as f64;
        }
        println!(
            "{} {} {}: {days:.3}, alone {lone:.3}",
            market.all, market.of_category, market.mean
        );
        assert!((0.7..=0.9).contains(&days), "{days}");
        assert!(lone <= lone_most, "{lone}");
    }
}

#[test]
fn what_is_brought_into_line_is_better_where_sums_know_more() {
    // Categories whose demand moves under series too small to show it.
    let moving = Market { mean: 0.4, of_category: 0.5, lasts: 0.98, per_category: 60, ..CALM };
    let asked = [Reconcile::Off, Reconcile::Auto, Reconcile::On];
    let (mut series, mut sums, mut applied) = ([0.0; 3], [0.0; 3], 0);
    for seed in 0..4 {
        let sold = moving.sell(300 + seed);
        for (n, &reconcile) in asked.iter().enumerate() {
            let made = sold.forecast(reconcile);
            let errors = sold.errors(&made);
            series[n] += errors.0;
            sums[n] += errors.1;
            if let Some(found) = made.reconciled.filter(|_| reconcile == Reconcile::Auto) {
                println!("{seed}: {:.3} {found:?}", found.gain());
                assert!(!found.applied || found.earns());
                applied += usize::from(found.applied);
            }
        }
    }
    println!("{series:?} {sums:?}");
    assert!(applied >= 1, "{applied}");
    assert!(sums[1] < sums[0] && series[1] < 1.003 * series[0], "{series:?} {sums:?}");
    assert!(sums[2] < 0.97 * sums[0] && series[2] < 1.01 * series[0], "{series:?} {sums:?}");
}

#[test]
fn where_sums_know_nothing_nothing_is_lost() {
    for seed in 0..3 {
        let sold = Market { sold_out: 0.2, ..CALM }.sell(500 + seed);
        let plain = sold.errors(&sold.forecast(Reconcile::Off));
        for reconcile in [Reconcile::Auto, Reconcile::On] {
            let made = sold.forecast(reconcile);
            let errors = sold.errors(&made);
            assert!(made.series.iter().flat_map(|s| &s.mean).all(|m| m.is_finite() && *m >= 0.0));
            assert!(errors.0 < 1.01 * plain.0, "{reconcile:?} {errors:?} {plain:?}");
        }
    }
}

#[test]
fn nights_keep_what_the_refit_found_and_threads_leave_no_trace() {
    let moving = Market { mean: 1.0, of_category: 0.4, lasts: 0.98, ..CALM };
    let sold = moving.sell(9);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let night = |input: &ForecastInput| {
            forecast_night(input, &config(Reconcile::On), None).expect("the input fits")
        };
        pool.install(|| sold.with(night))
    };
    let (refitted, other) = (run(1), run(4));
    assert!(refitted.forecast == other.forecast && refitted.panel == other.panel);
    let panel = refitted.panel.expect("a refit remembers");
    assert!(panel.kept.found.as_ref().is_some_and(|found| found.applied));
    assert!(panel.kept.factors.iter().any(|kept| kept.1 != 1.0));
    let series: HashMap<_, _> = refitted.series.into_iter().map(|s| (s.key, s)).collect();
    let memory = Memory { panel, series };
    let followed = sold.with(|input| {
        forecast_night(input, &config(Reconcile::On), Some(&memory)).expect("the input fits")
    });
    assert!(followed.panel.is_none());
    for (one, two) in refitted.forecast.series.iter().zip(&followed.forecast.series) {
        let total = |mean: &[f64]| mean.iter().sum::<f64>();
        let off = total(&one.mean) - total(&two.mean);
        assert!(off.abs() <= 1e-3 * total(&one.mean), "{off}");
        assert_eq!(one.shared, two.shared);
    }
}
