//! What a forecast is made of, against a retailer whose true effects are known.

#[path = "retail.rs"]
mod retail;

use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{ForecastConfig, Night, Wanted, forecast_by, forecast_night};
use granary_models::forecast::split::{Part, Split};
use retail::{PROMO_UPLIFT_PER_DEPTH, Retail};

const HORIZON: usize = 21;

fn config() -> ForecastConfig {
    ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() }
}

/// Every day's parts add up to its mean, and only what acts has a part.
fn check(retail: &Retail, night: &Night) {
    for (i, forecast) in night.forecast.series.iter().enumerate() {
        let history = retail.panel.series(i).len();
        let depths = retail.panel.drivers(i).promo_depth;
        for (day, &mean) in forecast.mean.iter().enumerate() {
            let parts = forecast.parts(day);
            let told = format!("series {i} day {day} {:?}: {parts:?} of {mean}", forecast.model);
            assert!((parts.mean() - mean).abs() <= 1e-9 * mean.max(1.0), "{told}");
            assert!(parts.level.is_finite() && parts.level >= 0.0, "{told}");
            let t = history + day;
            let promoted = depths[t - 7..=t].iter().any(|&depth| depth > 0.0);
            // Others' promotions take next to nothing here, as in the truth.
            let little = 0.05 * (mean + parts.level);
            assert!(promoted || parts.part(Part::Promo).abs() <= little, "{told}");
            assert_eq!(parts.part(Part::Price), 0.0, "prices never move: {told}");
            let named: f64 = forecast.split.events().iter().map(|event| event.on(day)).sum();
            assert!((named - parts.part(Part::Events)).abs() < 1e-9, "{told}");
        }
        assert!(forecast.split.events().iter().all(|event| &*event.name == "festival"));
    }
}

/// Units that the promotions bring, as the forecasts have them and as the true uplift would have it
/// at the same means and by the same rule.
fn check_promotions(retail: &Retail, night: &Night) {
    let (mut told, mut truth) = (0.0, 0.0);
    for (i, forecast) in night.forecast.series.iter().enumerate() {
        let depths = &retail.panel.drivers(i).promo_depth[retail.panel.series(i).len()..];
        for day in (0..HORIZON).filter(|&day| depths[day] > 0.0) {
            let parts = forecast.parts(day);
            let log = PROMO_UPLIFT_PER_DEPTH * f64::from(depths[day]);
            told += parts.part(Part::Promo);
            let mean = forecast.mean[day];
            truth += log * (mean - parts.level) / (mean / parts.level).ln();
        }
    }
    println!("promotions bring {told:.0} units, the truth {truth:.0}");
    assert!((told / truth - 1.0).abs() < 0.15, "{told} {truth}");
}

#[test]
fn parts_add_up_on_a_refit_and_on_the_nights_after() {
    let retail = Retail::simulate(240, 480, HORIZON, 12);
    let first = forecast_night(&retail.input(), &config(), None).expect("the input fits");
    check(&retail, &first);
    check_promotions(&retail, &first);
    let remembered = first.series.iter().cloned().map(|series| (series.key, series)).collect();
    let memory = Memory { panel: first.panel.clone().expect("a refit"), series: remembered };
    let again = forecast_night(&retail.input(), &config(), Some(&memory)).expect("it fits");
    assert!(again.panel.is_none());
    check(&retail, &again);
}

#[test]
fn forecasts_of_many_models_have_the_same_means_and_no_split() {
    let retail = Retail::simulate(40, 160, HORIZON, 13);
    let night = forecast_night(&retail.input(), &config(), None).expect("the input fits");
    let by = forecast_by(&retail.input(), &config(), &[Wanted::Auto]).expect("the input fits");
    for (one, other) in night.forecast.series.iter().zip(&by[0].series) {
        assert_eq!(one.mean, other.mean);
        assert_eq!(other.split, Split::default());
    }
}
