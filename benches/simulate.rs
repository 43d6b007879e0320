//! Policies replayed over a panel of the VN2 competition's shape: 599 store-products, three years of
//! weeks, an order at the end of week X usable in week X + 3, lost sales, holding 0.2, shortage 1.
//!
//! `cargo bench -p granary-models --bench simulate -- [SERIES [REVIEWS [REFIT]]]`

use std::time::Instant;

use granary_models::backtest::panel::ForecastConfig;
use granary_models::calendar::Day;
use granary_models::forecast::drivers::{Region, SeriesMeta};
use granary_models::policy::projection::{Issue, Shortage};
use granary_models::series::Panel;
use granary_models::simulate::item::{Item, Knowledge, Money, PartialDemand, Rules, Start, World};
use granary_models::simulate::policy::base_stock::BaseStock;
use granary_models::simulate::policy::granary::Granary;
use granary_models::simulate::policy::min_max::MinMax;
use granary_models::simulate::policy::seasonal_naive_cover::{
    SeasonalForecast, SeasonalNaiveCover,
};
use granary_models::simulate::policy::{Policy, PolicyKind};
use granary_models::simulate::run::simulate;
use granary_models::simulate::totals::{Costs, Units};

const HISTORY: usize = 157;
const AHEAD: usize = 60;

/// SplitMix64 with what demand needs.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((x ^ (x >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Marsaglia & Tsang (2000), with their boost below 1.
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.uniform().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 200.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut product, mut count) = (self.uniform(), 0.0);
        while product > (-mean).exp() {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

/// What a year looks like in one of five kinds of goods.
fn season(kind: usize, week: usize) -> f64 {
    let turn = |share: f64| (std::f64::consts::TAU * (week as f64 / 52.0 + share)).sin();
    let peak = |height: f64| {
        let away = (week % 52) as f64 - 48.0;
        height * (-(away / 2.5).powi(2)).exp()
    };
    let factor = match kind {
        0 => 1.0,
        1 => 1.0 + 0.3 * turn(0.1),
        2 => 1.0 + 0.6 * turn(0.6) + peak(0.8),
        3 => 1.0 + 0.1 * turn(0.3) + peak(2.0),
        _ => 1.0 + 0.8 * turn(0.35),
    };
    factor.max(0.05)
}

/// Seasonal negative binomial demand with a drifting level and a trend; a fifth comes and goes, a
/// fifth begins late, and some weeks have no record or sold out. Negative is no record.
fn demand(random: &mut Random, weeks: usize) -> Vec<f64> {
    let base = (1.2 + 1.2 * random.normal()).exp();
    let (kind, trend) = ((random.uniform() * 5.0) as usize, 0.25 * random.normal());
    let dispersion = random.between(0.05, 0.8);
    let comes = if random.uniform() < 0.2 { random.between(0.3, 0.8) } else { 1.0 };
    let late = if random.uniform() < 0.2 { (random.uniform() * 80.0) as usize } else { 0 };
    let mut level = 0.0;
    let mut weekly: Vec<f64> = (0..weeks)
        .map(|week| {
            level += 0.03 * random.normal();
            let mean = base * season(kind, week) * (trend * week as f64 / 104.0 + level).exp();
            let rate = mean * dispersion * random.gamma(1.0 / dispersion);
            let wanted = random.poisson(rate);
            let asked = random.uniform() < comes;
            if week < late {
                -1.0
            } else if asked {
                wanted
            } else {
                0.0
            }
        })
        .collect();
    for _ in 0..random.poisson(1.5) as usize {
        let from = (random.uniform() * 140.0) as usize;
        let gone = if random.uniform() < 0.5 { -1.0 } else { 0.0 };
        let length = 1 + (random.uniform() * 3.0) as usize;
        weekly[from..from + length].fill(gone);
    }
    weekly
}

fn setting(series: usize, weeks: usize) -> (Panel, Vec<SeriesMeta>, Vec<Item>) {
    let mut random = Random(599);
    let mut panel = Panel { offsets: vec![0], horizon_days: AHEAD, ..Panel::default() };
    let (mut meta, mut items) = (Vec::new(), Vec::new());
    for key in 0..series {
        let weekly = demand(&mut random, weeks);
        panel.start.push(Day(0));
        panel.sold.extend(weekly.iter().map(|demand| demand.max(0.0)));
        panel.available.extend(weekly.iter().map(|d| if *d < 0.0 { 0.0 } else { 1.0 }));
        panel.offsets.push(panel.sold.len());
        panel.promo_depth.resize(panel.sold.len() + (key + 1) * AHEAD, 0.0);
        panel.price_ratio.resize(panel.sold.len() + (key + 1) * AHEAD, f32::NAN);
        let recent = weekly[HISTORY - 52..HISTORY].iter().map(|d| d.max(0.0)).sum::<f64>() / 52.0;
        let mut some = |low, high| (recent * random.between(low, high)).round() as i64;
        let start =
            Start::Given { on_hand: some(0.5, 3.0), due: vec![some(0.3, 1.5), some(0.3, 1.5)] };
        let money = Money { holding: 0.2, shortage: 1.0, ..Money::default() };
        items.push(Item { lead_periods: 3, money, start, ..Item::default() });
        meta.push(SeriesMeta { key: key as u64 + 1, ..SeriesMeta::default() });
    }
    (panel, meta, items)
}

fn policies() -> Vec<Policy> {
    let policy = |name: &str, kind| Policy { name: name.to_owned(), kind };
    let cover = |forecast| {
        PolicyKind::SeasonalNaiveCover(SeasonalNaiveCover { cover_periods: 4, forecast })
    };
    let average = SeasonalForecast::IndexedAverage { window_periods: 13 };
    let min_max = |order_cover_periods| {
        PolicyKind::MinMax(MinMax { order_cover_periods, ..MinMax::default() })
    };
    vec![
        policy("granary", PolicyKind::Granary(Granary::default())),
        policy("perfect_information", PolicyKind::PerfectInformation),
        policy("indexed_average × 4", cover(average)),
        policy("seasonal_naive × 4", cover(SeasonalForecast::LastSeason)),
        policy("base_stock", PolicyKind::BaseStock(BaseStock::default())),
        policy(
            "base_stock z=0",
            PolicyKind::BaseStock(BaseStock { window_periods: 26, z: Some(0.0) }),
        ),
        policy("min_max + 1", min_max(1.0)),
        policy("min_max + 4", min_max(4.0)),
    ]
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let given = |at: usize, usual: usize| numbers.get(at).copied().unwrap_or(usual);
    let (series, reviews, refit) = (given(0, 599), given(1, 60), given(2, 8));
    let (panel, meta, items) = setting(series, HISTORY + reviews);
    let world = World {
        panel: &panel,
        meta: &meta,
        categories: &["all".to_owned()],
        regions: &[Region::default()],
        items: &items,
    };
    let rules = Rules {
        first: Day(HISTORY as i32),
        periods: reviews,
        warm_up_periods: 0,
        review_every_periods: 1,
        shortage: Shortage::Lost,
        issue: Issue::Fifo,
        knowledge: Knowledge::Recorded,
        partial_demand: PartialDemand::Recorded,
        refit_every_reviews: refit,
        paths: 256,
        seed: 1,
        forecast: ForecastConfig::for_steps(1, vec![1, 52], false),
    };
    let policies = policies();
    let at = Instant::now();
    let played = simulate(&world, &rules, &policies, &|_| ()).expect("a legal game");
    let seconds = at.elapsed().as_secs_f64();
    println!(
        "{series} series x {reviews} weekly reviews, {} refits: {seconds:.2} s",
        played.refits
    );
    println!("{:22}{:>12}{:>12}{:>12}{:>8}", "policy", "cost", "holding", "shortage", "fill");
    for (at, policy) in policies.iter().enumerate() {
        let (mut costs, mut units) = (Costs::default(), Units::default());
        for (one, item) in items.iter().enumerate() {
            let sums = played.units(at, one);
            costs.add(&sums.costs(&item.money, rules.shortage));
            units.merge(&sums);
        }
        let fill = 100.0 * units.fill_rate().unwrap_or(1.0);
        let (name, total) = (&policy.name, costs.total());
        println!("{name:22}{total:12.1}{:12.1}{:12.1}{fill:7.1}%", costs.holding, costs.shortage);
    }
}
