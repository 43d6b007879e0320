//! Laws that every model of the registry keeps, on every awkward history.

use granary_models::distribution::family::CountFamily;
use granary_models::forecast::model::{FittedModel, History, Model};
use granary_models::forecast::pooled::level::SeriesEffects;

const HORIZON: usize = 20;
/// Neutral pooled effects for any history here and its horizon.
const POOLED_DAYS: usize = 400;

fn pooled() -> SeriesEffects {
    SeriesEffects { factors: vec![1.0; POOLED_DAYS], alpha: 0.1 }
}

fn fitted(model: Model, demand: &[f64], seasons: &[usize]) -> FittedModel {
    let pooled = pooled();
    let history = History { pooled: Some(&pooled), ..History::with_seasons(demand, seasons) };
    model.fit_or_fall_back(&history).0
}

fn ahead(fitted: &FittedModel) -> [f64; HORIZON] {
    let mut out = [f64::NAN; HORIZON];
    fitted.forecast(&mut out);
    out
}

fn forecast(model: Model, demand: &[f64]) -> [f64; HORIZON] {
    ahead(&fitted(model, demand, &[7]))
}

fn week(t: usize) -> f64 {
    [3.0, 4.0, 2.0, 6.0, 9.0, 14.0, 11.0][t % 7] + ((t * 13) % 5) as f64
}

/// A week with days that were not seen.
fn holed(days: usize) -> Vec<f64> {
    (0..days).map(|t| if t % 17 == 5 { f64::NAN } else { week(t) }).collect()
}

fn intermittent(days: usize) -> Vec<f64> {
    let sold = |t: usize| (t * t + 3 * t) % 11 < 3;
    (0..days).map(|t| if sold(t) { 1.0 + ((t * 7) % 5) as f64 } else { 0.0 }).collect()
}

#[test]
fn forecasts_are_finite_and_never_negative() {
    let mut histories: Vec<Vec<f64>> = (0..=16).map(|n| (0..n).map(week).collect()).collect();
    histories.push(vec![0.0; 90]);
    histories.push(vec![f64::NAN; 90]);
    histories.push((0..90).map(|t| if t == 60 { 5.0 } else { 0.0 }).collect());
    histories.push((0..90).map(|t| if t == 60 { 5.0 } else { f64::NAN }).collect());
    histories.push((0..90).map(|t| f64::from(u8::from(t % 9 == 0))).collect());
    histories.push((0..90).map(|t| 1e13 * week(t)).collect());
    histories.push((0..90).map(|t| 90.0 - t as f64).collect());
    histories.push((0..90).map(|t| if t < 45 { week(t) } else { f64::NAN }).collect());
    for model in Model::ALL {
        for history in &histories {
            let out = forecast(*model, history);
            let fine = out.iter().all(|m| m.is_finite() && *m >= 0.0);
            assert!(fine, "{} on {history:?}: {out:?}", model.as_str());
        }
    }
}

#[test]
fn demand_in_another_unit_is_forecast_in_that_unit() {
    let demand = holed(100);
    let scaled: Vec<f64> = demand.iter().map(|d| d * 1000.0).collect();
    for model in Model::ALL {
        let (one, thousand) = (forecast(*model, &demand), forecast(*model, &scaled));
        for (a, b) in one.iter().zip(&thousand) {
            assert!(
                (a * 1000.0 - b).abs() <= 1e-6 * b.abs().max(1.0),
                "{} {a} {b}",
                model.as_str()
            );
        }
    }
}

#[test]
fn any_length_and_any_seasons_have_a_forecast() {
    for (seasons, lengths) in [
        (&[][..], (0..=9).collect::<Vec<usize>>()),
        (&[7], (0..=16).collect()),
        (&[24, 168], (0..=27).chain([47, 48, 49, 167, 168, 169, 170, 337]).collect()),
    ] {
        for model in Model::ALL {
            for &length in &lengths {
                let out = ahead(&fitted(*model, &holed(length), seasons));
                let fine = out.iter().all(|m| m.is_finite() && *m >= 0.0);
                assert!(fine, "{} {seasons:?} {length}: {out:?}", model.as_str());
            }
        }
    }
}

/// Models whose parameters do not depend on the data, or are the state itself.
fn nothing_is_searched(model: Model) -> bool {
    model.parameters() == 0 || model == Model::RandomWalkWithDrift
}

#[test]
fn following_is_fitting_when_nothing_is_searched() {
    let histories = [holed(120), intermittent(120)];
    for model in Model::ALL.iter().copied().filter(|m| nothing_is_searched(*m)) {
        for (history, seasons) in
            histories.iter().flat_map(|h| [(h, &[][..]), (h, &[7]), (h, &[24, 168])])
        {
            // A model without a fit to a history alone falls back to one that is searched.
            if model.fit(&History::with_seasons(&history[..30], seasons)).is_err() {
                continue;
            }
            for known in [30, 41, 60, 119] {
                let mut followed = fitted(model, &history[..known], seasons);
                history[known..].iter().for_each(|&demand| followed.update(demand));
                let refitted = fitted(model, history, seasons);
                assert_eq!(ahead(&followed), ahead(&refitted), "{} {known}", model.as_str());
            }
        }
    }
}

/// What they take for the trend moves otherwise on a step that was not seen than on one to come; the
/// pair of CES, wherever it is, stays as it was.
const MOVED_UNSEEN: [Model; 6] = [
    Model::ThetaSteady,
    Model::DynamicTheta,
    Model::Ces,
    Model::CesSimple,
    Model::MstlCes,
    Model::LogCes,
];

#[test]
fn a_missing_step_moves_the_season_and_no_forecast() {
    for model in Model::ALL.iter().filter(|m| !MOVED_UNSEEN.contains(m)) {
        for history in [holed(90), intermittent(90)] {
            let mut followed = fitted(*model, &history, &[7]);
            let before = ahead(&followed);
            for unseen in 1..10 {
                followed.update(f64::NAN);
                for (after, before) in ahead(&followed).iter().zip(&before[unseen..]) {
                    let close = (after - before).abs() <= 1e-9 * before.max(1.0);
                    assert!(close, "{} {unseen}: {after} {before}", model.as_str());
                }
            }
        }
    }
}

#[test]
fn a_stored_model_goes_on_as_if_nothing_had_happened() {
    let further = holed(40);
    for model in Model::ALL {
        for history in
            [holed(100), intermittent(100), vec![0.0; 30], vec![f64::NAN; 30], vec![4.0], vec![]]
        {
            let mut kept = fitted(*model, &history, &[7]);
            let text = serde_json::to_string(&kept).expect("a state can be written");
            let mut stored: FittedModel = serde_json::from_str(&text).expect("and read");
            assert_eq!(ahead(&stored), ahead(&kept), "{}: {text}", model.as_str());
            for &demand in &further {
                kept.update(demand);
                stored.update(demand);
            }
            assert_eq!(ahead(&stored), ahead(&kept), "{}: {text}", model.as_str());
            assert_eq!(stored.model(), kept.model());
        }
    }
}

#[test]
fn a_constant_is_continued() {
    for model in Model::ALL {
        for (t, mean) in forecast(*model, &[8.0; 60]).into_iter().enumerate() {
            assert!((mean - 8.0).abs() <= 1e-6, "{} day {t}: {mean}", model.as_str());
        }
    }
}

#[test]
fn a_censored_day_is_missing_and_not_a_zero() {
    let whole: Vec<f64> = (0..112).map(|t| 20.0 + (t % 7) as f64).collect();
    let holes: Vec<f64> = whole
        .iter()
        .enumerate()
        .map(|(t, d)| if (t * 7) % 10 < 3 { f64::NAN } else { *d })
        .collect();
    for model in Model::ALL {
        let mean = |demand: &[f64]| forecast(*model, demand).iter().sum::<f64>() / HORIZON as f64;
        let (with, without) = (mean(&holes), mean(&whole));
        assert!((with / without - 1.0).abs() < 0.08, "{} {with} {without}", model.as_str());
    }
}

#[test]
fn names_are_unique_and_read_back() {
    for model in Model::ALL {
        assert_eq!(Model::parse(model.as_str()), Some(*model));
    }
}

/// Quantiles of `family` at places that a quadratic sequence (Weyl 1916) spreads over 0 to 1.
fn drawn(family: &CountFamily, from: usize, days: usize) -> Vec<f64> {
    let place = |t: usize| {
        let t = (from + t) as f64;
        (t * (t + 1.0) * 0.5 * 0.618_033_988_749_895 + t * 0.414_213_562_373_095).fract()
    };
    (0..days).map(|t| family.quantile(place(t))).collect()
}

#[test]
fn counts_simulated_from_a_model_fall_where_it_says() {
    let families = [
        CountFamily::poisson(0.3),
        CountFamily::poisson(6.0),
        CountFamily::negative_binomial(4.0, 0.8),
        CountFamily::zero_inflated(0.7, 5.0, 0.0),
        CountFamily::zero_inflated(0.5, 8.0, 0.3),
    ];
    for model in Model::ALL {
        for family in &families {
            let Some(own) = fitted(*model, &drawn(family, 0, 400), &[7]).own_day(0) else {
                continue;
            };
            // What the model took the history for is the truth from here on.
            let (mut inside, mut stated) = (0.0, 0.0);
            for k in 1..=40 {
                let again = fitted(*model, &drawn(&own, k * 1000, 200), &[7]);
                let day = again.own_day(0).expect("the same model");
                let (low, high) = (day.quantile(0.05), day.quantile(0.95));
                inside += (own.cdf(high) - own.cdf(low - 1.0)) / 40.0;
                stated += (day.cdf(high) - day.cdf(low - 1.0)) / 40.0;
            }
            let close = (inside - stated).abs() < 0.02 && inside > 0.88;
            assert!(close, "{} {own:?}: {inside} of {stated}", model.as_str());
        }
    }
}
