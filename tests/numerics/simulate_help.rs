//! Small worlds to play in.

use granary_models::backtest::panel::ForecastConfig;
use granary_models::calendar::Day;
use granary_models::forecast::drivers::{Region, SeriesMeta};
use granary_models::policy::projection::{Issue, Shortage};
use granary_models::series::Panel;
use granary_models::simulate::item::{Item, Knowledge, Money, PartialDemand, Rules, Start, World};
use granary_models::simulate::policy::{Policy, PolicyKind};
use granary_models::simulate::run::{Simulation, simulate};

/// Drivers are known so far beyond the last period.
const AHEAD: usize = 100;

/// Owns what a [`World`] borrows.
pub struct Setting {
    pub panel: Panel,
    pub meta: Vec<SeriesMeta>,
    pub items: Vec<Item>,
    categories: Vec<String>,
    regions: Vec<Region>,
}

impl Setting {
    /// One series per history, all from day 0 on; a negative value is a period without a record.
    pub fn new(histories: &[Vec<i64>], item: &Item) -> Setting {
        let mut panel = Panel { offsets: vec![0], horizon_days: AHEAD, ..Panel::default() };
        for history in histories {
            panel.start.push(Day(0));
            panel.sold.extend(history.iter().map(|&demand| demand.max(0) as f64));
            panel.available.extend(history.iter().map(|&d| if d < 0 { 0.0 } else { 1.0 }));
            panel.offsets.push(panel.sold.len());
            panel.promo_depth.extend(vec![0.0; history.len() + AHEAD]);
            panel.price_ratio.extend(vec![f32::NAN; history.len() + AHEAD]);
        }
        let meta = (0..histories.len())
            .map(|at| SeriesMeta { key: at as u64 + 1, ..SeriesMeta::default() })
            .collect();
        Setting {
            panel,
            meta,
            items: vec![item.clone(); histories.len()],
            categories: vec!["all".to_owned()],
            regions: vec![Region::default()],
        }
    }

    pub fn world(&self) -> World<'_> {
        World {
            panel: &self.panel,
            meta: &self.meta,
            categories: &self.categories,
            regions: &self.regions,
            items: &self.items,
        }
    }

    pub fn run(&self, rules: &Rules, policies: &[Policy]) -> Simulation {
        simulate(&self.world(), rules, policies, &|_| ()).expect("a legal game")
    }
}

/// Weekly, lost sales, reviewed every period.
pub fn rules(first: i32, periods: usize) -> Rules {
    Rules {
        first: Day(first),
        periods,
        warm_up_periods: 0,
        review_every_periods: 1,
        shortage: Shortage::Lost,
        issue: Issue::Fifo,
        knowledge: Knowledge::Recorded,
        partial_demand: PartialDemand::Recorded,
        refit_every_reviews: 8,
        paths: 64,
        seed: 1,
        forecast: ForecastConfig::for_steps(1, vec![1], false),
    }
}

pub fn money(holding: f64, shortage: f64, order: f64) -> Money {
    Money { holding, shortage, order, ..Money::default() }
}

pub fn given(on_hand: i64, due: &[i64]) -> Start {
    Start::Given { on_hand, due: due.to_vec() }
}

pub fn policy(kind: PolicyKind) -> Policy {
    Policy { name: format!("{kind:?}"), kind }
}

/// SplitMix64, for histories that look like nothing in particular.
pub fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Whole demand with the mean `level` and a variance of twice that, roughly.
pub fn lumpy(seed: u64, periods: usize, level: f64) -> Vec<i64> {
    let mut next = noise(seed);
    let draw = |_| if next() < 0.5 { 0 } else { (4.0 * level * next()) as i64 };
    (0..periods).map(draw).collect()
}
