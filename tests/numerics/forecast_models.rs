//! Laws that every model of the registry keeps, on every awkward history.

use granary_models::forecast::model::{History, Model};
use granary_models::forecast::pooled::level::SeriesEffects;

const HORIZON: usize = 20;

fn forecast(model: Model, demand: &[f64]) -> [f64; HORIZON] {
    let pooled = SeriesEffects { factors: vec![1.0; demand.len() + HORIZON], alpha: 0.1 };
    let history = History { pooled: Some(&pooled), ..History::of(demand) };
    let (fitted, _) = model.fit_or_fall_back(&history);
    let mut out = [f64::NAN; HORIZON];
    fitted.forecast(&mut out);
    out
}

fn week(t: usize) -> f64 {
    [3.0, 4.0, 2.0, 6.0, 9.0, 14.0, 11.0][t % 7] + ((t * 13) % 5) as f64
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
    let demand: Vec<f64> = (0..100).map(|t| if t % 17 == 5 { f64::NAN } else { week(t) }).collect();
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
fn a_constant_is_continued() {
    for model in Model::ALL {
        for (t, mean) in forecast(*model, &[8.0; 60]).into_iter().enumerate() {
            // SBA takes half its alpha off on purpose.
            let low = if *model == Model::Sba { 8.0 * 0.87 } else { 8.0 - 1e-6 };
            assert!(low <= mean && mean <= 8.0 + 1e-6, "{} day {t}: {mean}", model.as_str());
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
