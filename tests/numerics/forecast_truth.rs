//! Forecasts against a retailer whose true demand is known.

#[path = "retail.rs"]
mod retail;

use granary_models::backtest::panel::{
    ForecastConfig, PanelForecast, Wanted, forecast_by, forecast_panel,
};
use granary_models::backtest::scores::{ScoreRow, ScoreSums};
use granary_models::forecast::model::Model;
use granary_models::forecast::sku_forecast::SkuForecast;
use retail::{FESTIVAL_UPLIFT, PROMO_UPLIFT_PER_DEPTH, Retail};

const HORIZON: usize = 28;

fn forecast(retail: &Retail, threads: usize) -> PanelForecast {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
    pool.install(|| forecast_panel(&retail.input(), &config)).expect("the input fits together")
}

#[test]
fn the_chosen_forecast_beats_the_seasonal_naive_and_its_interval_is_honest() {
    let retail = Retail::simulate(600, 700, HORIZON, 5);
    let result = forecast(&retail, 2);
    let (mut chosen, mut naive) = (ScoreSums::default(), ScoreSums::default());
    let mut inside = 0.0;
    for (i, forecast) in result.series.iter().enumerate() {
        let sold = retail.panel.series(i).sold;
        for day in 0..HORIZON {
            let actual = retail.truth[i * HORIZON + day];
            chosen.add(forecast.mean[day], &forecast.quantiles(day), actual);
            inside += inside_90(forecast, day, actual);
            naive.add(sold[sold.len() - 7 + day % 7], &[0.0; 9], actual);
        }
    }
    let chosen = ScoreRow::new("all", "chosen", &chosen);
    let naive = ScoreRow::new("all", "seasonal_naive", &naive);
    println!("{chosen:?}\n{naive:?}");
    assert!(chosen.wape <= 0.8 * naive.wape, "{} {}", chosen.wape, naive.wape);
    let coverage = inside / chosen.days as f64;
    println!("90% covers {coverage:.4}, {:.4} with both edges in full", chosen.coverage_90);
    assert!((0.86..=0.94).contains(&coverage), "{coverage}");
    assert!(chosen.bias.abs() <= 0.03, "{}", chosen.bias);
    check_lead_time(&retail, &result);
    check_effects(&result);
}

/// Share of an outcome that lies in the central 90% of its forecast. Demand is whole units: an edge
/// counts as far as its probability is needed to reach the level, or every forecast of slow items
/// would cover more than it says (Czado, Gneiting & Held 2009).
fn inside_90(forecast: &SkuForecast, day: usize, actual: f64) -> f64 {
    let nine = forecast.quantiles(day);
    let (low, high) = (nine[1], nine[7]);
    if actual < low || actual > high {
        return 0.0;
    }
    let family = forecast.day(day);
    let (below, upto) = (family.cdf(actual - 1.0), family.cdf(actual));
    let mass = (upto - below).max(1e-12);
    let beyond_low = if actual == low { (0.05 - below).clamp(0.0, mass) } else { 0.0 };
    let beyond_high = if actual == high { (upto - 0.95).clamp(0.0, mass) } else { 0.0 };
    (1.0 - (beyond_low + beyond_high) / mass).max(0.0)
}

/// Sums over two weeks, from paths, cover the truth as often as they say.
fn check_lead_time(retail: &Retail, result: &PanelForecast) {
    let plan = granary_models::distribution::paths::PathPlan::new(500, HORIZON, 9);
    let mut inside = 0.0;
    for (i, forecast) in result.series.iter().enumerate() {
        let paths = forecast.paths(&plan);
        let mut sums: Vec<f64> =
            (0..500).map(|p| paths.path(p)[..14].iter().map(|&v| f64::from(v)).sum()).collect();
        sums.sort_by(f64::total_cmp);
        let actual: f64 = retail.truth[i * HORIZON..i * HORIZON + 14].iter().sum();
        inside += f64::from(u8::from(sums[25] <= actual && actual <= sums[474]));
    }
    let coverage = inside / result.series.len() as f64;
    println!("two-week coverage {coverage}");
    assert!((0.84..=0.96).contains(&coverage), "{coverage}");
}

fn check_effects(result: &PanelForecast) {
    let effect = |regressor: &str, category: &str| {
        let row =
            result.effects.iter().find(|e| e.regressor == regressor && e.category == category);
        row.map_or(0.0, |row| row.log_effect)
    };
    for category in (0..6).map(|c| format!("category-{c}")) {
        let festival = effect("event:festival:during", &category).exp();
        assert!((festival / FESTIVAL_UPLIFT - 1.0).abs() < 0.1, "{category} {festival}");
        let promo = effect("promo:on", &category) + 0.25 * effect("promo:depth", &category);
        let ratio = promo.exp() / (0.25 * PROMO_UPLIFT_PER_DEPTH).exp();
        assert!((ratio - 1.0).abs() < 0.1, "{category} {promo}");
    }
}

#[test]
fn what_else_is_asked_for_does_not_move_the_portfolio() {
    let retail = Retail::simulate(80, 160, HORIZON, 6);
    let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
    let ask = |wanted: &[Wanted]| forecast_by(&retail.input(), &config, wanted).expect("it fits");
    let alone = ask(&[Wanted::Auto]);
    let named = [Model::Ces, Model::Theta, Model::Sba].map(Wanted::Model);
    let among = ask(&[named[0], Wanted::Auto, named[1], named[2]]);
    assert_eq!(alone[0].series, among[1].series);
    for (asked, got) in named.iter().zip([&among[0], &among[2], &among[3]]) {
        let own = got.series.iter().filter(|s| s.model.as_str() == asked.as_str()).count();
        assert!(own > 70, "{} made {own} of 80", asked.as_str());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let retail = Retail::simulate(150, 120, HORIZON, 8);
    let one = forecast(&retail, 1);
    for threads in [2, 4] {
        let many = forecast(&retail, threads);
        assert_eq!(one.series, many.series);
        assert_eq!(one.effects, many.effects);
        assert_eq!(format!("{:?}", one.scores), format!("{:?}", many.scores));
        assert_eq!(one.findings, many.findings);
    }
}
