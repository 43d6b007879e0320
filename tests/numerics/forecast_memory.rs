//! Nights that follow what an earlier night fitted.

#[path = "retail.rs"]
mod retail;

use granary_models::backtest::memory::Memory;
use granary_models::backtest::panel::{ForecastConfig, Night, forecast_night};
use granary_models::series::Panel;
use retail::Retail;

const HORIZON: usize = 14;
const SERIES: usize = 120;

/// The retailer as it was `nights` nights before its last day.
fn earlier(retail: &Retail, nights: usize) -> Retail {
    let whole = &retail.panel;
    let known = whole.horizon_days;
    let mut panel = Panel { offsets: vec![0], horizon_days: HORIZON, ..Panel::default() };
    for i in 0..whole.len() {
        let series = whole.series(i);
        let days = series.len() - nights;
        panel.start.push(series.start);
        panel.sold.extend(&series.sold[..days]);
        panel.available.extend(&series.available[..days]);
        let drivers = whole.drivers(i);
        assert!(days + HORIZON <= series.len() + known);
        panel.promo_depth.extend(&drivers.promo_depth[..days + HORIZON]);
        panel.price_ratio.extend(&drivers.price_ratio[..days + HORIZON]);
        panel.offsets.push(panel.sold.len());
    }
    Retail { panel, ..retail.clone() }
}

fn night(retail: &Retail, memory: Option<&Memory>) -> Night {
    let config = ForecastConfig { horizon_days: HORIZON, ..ForecastConfig::default() };
    forecast_night(&retail.input(), &config, memory).expect("the input fits together")
}

/// What is written to a database and read from it.
fn stored(night: Night) -> Memory {
    let panel = night.panel.expect("a refit remembers the panel");
    let bytes = postcard::to_stdvec(&panel).expect("a memory can be written");
    let panel = postcard::from_bytes(&bytes).expect("and read back");
    let read = |series| {
        let bytes = postcard::to_stdvec(&series).expect("a memory can be written");
        postcard::from_bytes(&bytes).expect("and read back")
    };
    Memory { panel, series: night.series.into_iter().map(|s| (s.key, read(s))).collect() }
}

#[test]
fn nights_follow_and_only_lost_series_are_fitted_anew() {
    let retail = Retail::simulate(SERIES, 200, HORIZON, 3);
    let refitted = night(&earlier(&retail, 6), None);
    assert_eq!(refitted.series.len(), SERIES);
    let memory = stored(refitted);

    let followed = night(&earlier(&retail, 3), Some(&memory));
    assert!(followed.panel.is_none());
    assert!(followed.series.len() < SERIES / 5, "{} fitted anew", followed.series.len());
    let fresh = night(&earlier(&retail, 3), None);
    let total = |night: &Night| -> f64 { night.forecast.series.iter().flat_map(|s| &s.mean).sum() };
    let ratio = total(&followed) / total(&fresh);
    assert!((ratio - 1.0).abs() < 0.03, "{ratio}");

    // Following three days and then three more is following six.
    let at_once = night(&retail, Some(&memory));
    let mut halfway = memory.clone();
    let again = night(&earlier(&retail, 3), Some(&memory));
    halfway.series.extend(again.series.into_iter().map(|series| (series.key, series)));
    let by_steps = night(&retail, Some(&halfway));
    let mut same = 0;
    for (one, two) in at_once.forecast.series.iter().zip(&by_steps.forecast.series) {
        same += usize::from(one.mean == two.mean);
    }
    assert!(same > SERIES * 3 / 4, "{same}");
}

#[test]
fn a_memory_of_another_meaning_or_panel_is_not_used() {
    let retail = Retail::simulate(40, 120, HORIZON, 4);
    let memory = stored(night(&earlier(&retail, 2), None));
    let config = ForecastConfig { horizon_days: HORIZON, cutoffs: 2, ..ForecastConfig::default() };
    let other = forecast_night(&retail.input(), &config, Some(&memory)).expect("it fits");
    assert!(other.panel.is_some());

    let mut corrected = retail.clone();
    let last = corrected.panel.offsets[8] - 10;
    corrected.panel.sold[last] += 50.0;
    let followed = night(&corrected, Some(&memory));
    assert!(followed.series.iter().any(|s| s.key == retail.input().meta[7].key));

    let mut few = memory.clone();
    few.series.clear();
    assert!(night(&retail, Some(&few)).panel.is_some());
}
