//! Filters worked by hand, known truths, and what fits fall back to.

use super::*;

fn given(spec: EtsSpec, smoothing: Smoothing, state: EtsState) -> Ets {
    Ets { spec, smoothing, state, scale: 1.0, variance: 1.0, aicc: None }
}

fn smoothing(level: f64, trend: f64, season: f64, damping: f64) -> Smoothing {
    Smoothing { level, trend, season, damping }
}

fn state(level: f64, trend: f64, season: &[f64], multiplied: bool) -> EtsState {
    EtsState { level, trend, season: season.to_vec(), next: 0, multiplied }
}

fn forecast<const H: usize>(fitted: &Ets) -> [f64; H] {
    let mut out = [f64::NAN; H];
    fitted.forecast(&mut out);
    out
}

fn close(got: &[f64], wanted: &[f64]) {
    let near = got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(near && got.len() == wanted.len(), "{got:?} instead of {wanted:?}");
}

/// Uniform numbers in -1..1 with a mean of zero, from a linear congruential generator.
fn noise(steps: usize, seed: u64) -> Vec<f64> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..steps).map(|_| next()).collect()
}

/// A history that a model makes of errors, and the mean of what follows it.
fn simulate<const H: usize>(mut truth: Ets, errors: &[f64]) -> (Vec<f64>, [f64; H]) {
    let relative = truth.spec.error == ErrorKind::Multiplicative;
    let take = |e: &f64| {
        let [mean] = forecast(&truth);
        let demand = if relative { mean * (1.0 + e) } else { mean + e };
        truth.update(demand);
        demand
    };
    let demand = errors.iter().map(take).collect();
    (demand, forecast(&truth))
}

#[test]
fn a_damped_trend_by_hand() {
    let start = state(10.0, 2.0, &[0.0], false);
    let mut fitted = given(EtsSpec::AADN, smoothing(0.5, 0.2, 0.0, 0.9), start);
    // Mean 10 + 0.9·2 = 11.8, error 2.2: level 11.8 + 1.1, trend 1.8 + 0.44.
    fitted.update(14.0);
    let (level, trend) = (12.9, 2.24);
    close(&forecast::<2>(&fitted), &[level + 0.9 * trend, level + (0.9 + 0.81) * trend]);
    // A missing step goes along the trend: level 12.9 + 2.016, trend 2.016.
    fitted.update(f64::NAN);
    close(&forecast::<1>(&fitted), &[14.916 + 0.9 * 2.016]);
}

#[test]
fn additive_and_multiplicative_seasons_by_hand() {
    let mut added =
        given(EtsSpec::AAA, smoothing(0.5, 0.1, 0.2, 1.0), state(10.0, 1.0, &[3.0, -3.0], false));
    // Mean 10 + 1 + 3 = 14, error 2: level 12, trend 1.2, season 3.4.
    added.update(16.0);
    close(&forecast::<3>(&added), &[12.0 + 1.2 - 3.0, 12.0 + 2.4 + 3.4, 12.0 + 3.6 - 3.0]);
    let mut multiplied =
        given(EtsSpec::MAM, smoothing(0.5, 0.1, 0.2, 1.0), state(9.0, 1.0, &[1.25, 0.75], true));
    // Mean (9 + 1)·1.25 = 12.5, relative error 0.2: level 10·(1 + 0.5·0.2), trend 1 + 0.1·10·0.2,
    // season 1.25·(1 + 0.2·0.2).
    multiplied.update(15.0);
    close(&forecast::<2>(&multiplied), &[12.2 * 0.75, 13.4 * 1.3]);
}

#[test]
fn variance_grows_as_the_textbook_says() {
    let flat = given(EtsSpec::ANN, smoothing(0.3, 0.0, 0.0, 0.0), state(1.0, 0.0, &[0.0], false));
    // ETS(A,N,N): 1 + α²(h - 1).
    let got: Vec<f64> = flat.variance_multipliers().unwrap().take(3).collect();
    close(&got, &[1.0, 1.09, 1.18]);
    let start = state(1.0, 0.0, &[0.0, 0.0], false);
    let whole = given(EtsSpec::AADA, smoothing(0.3, 0.1, 0.2, 0.9), start);
    let (c1, c2) = (0.3 + 0.1 * 0.9, 0.3 + 0.1 * (0.9 + 0.81) + 0.2);
    let got: Vec<f64> = whole.variance_multipliers().unwrap().take(3).collect();
    close(&got, &[1.0, 1.0 + c1 * c1, 1.0 + c1 * c1 + c2 * c2]);
    assert!(Ets { spec: EtsSpec::MNN, ..flat }.variance_multipliers().is_none());
}

#[test]
fn a_known_truth_is_found() {
    let week = [-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0];
    let weekly = week.map(|s| 1.0 + s / 20.0);
    let cases = [
        (EtsSpec::ANN, smoothing(0.3, 0.0, 0.0, 0.0), state(50.0, 0.0, &[0.0], false), 5.0),
        (EtsSpec::AAN, smoothing(0.4, 0.05, 0.0, 1.0), state(50.0, 0.5, &[0.0], false), 5.0),
        (EtsSpec::ANA, smoothing(0.3, 0.0, 0.1, 0.0), state(50.0, 0.0, &week, false), 5.0),
        (EtsSpec::MNN, smoothing(0.3, 0.0, 0.0, 0.0), state(50.0, 0.0, &[0.0], false), 0.1),
        (EtsSpec::MNM, smoothing(0.2, 0.0, 0.1, 0.0), state(50.0, 0.0, &weekly, true), 0.1),
    ];
    for (spec, by, start, spread) in cases {
        let errors: Vec<f64> = noise(2000, 7).iter().map(|e| e * spread).collect();
        let (demand, truth) = simulate::<14>(given(spec, by, start), &errors);
        let fitted = Ets::fit_spec(&History::of(&demand), spec).unwrap();
        let got = fitted.smoothing;
        assert!((got.level - by.level).abs() < 0.08, "{} {got:?}", spec.as_str());
        assert!((got.trend - by.trend).abs() < 0.04, "{} {got:?}", spec.as_str());
        assert!((got.season - by.season).abs() < 0.05, "{} {got:?}", spec.as_str());
        let own: f64 = errors.iter().map(|e| e * e).sum::<f64>() / 2000.0;
        assert!((fitted.error_variance() / own - 1.0).abs() < 0.05, "{}", spec.as_str());
        for (a, b) in forecast::<14>(&fitted).iter().zip(&truth) {
            assert!((a / b - 1.0).abs() < 0.06, "{} {a} instead of {b}", spec.as_str());
        }
    }
}

/// Each derivative of the loss is the slope of the loss itself.
#[test]
fn derivatives_are_slopes() {
    use super::pass::{SeasonLanes, Started, pass};
    let week = [0.8, 1.1, 0.9, 1.0, 1.2, 0.7, 1.3];
    let demand: Vec<f64> = noise(120, 3)
        .iter()
        .enumerate()
        .map(|(t, e)| if t % 13 == 5 { f64::NAN } else { week[t % 7] * (1.0 + 0.2 * e) })
        .collect();
    let point = |x: [f64; 6]| {
        let [alpha, level, beta, trend, phi, gamma] = x;
        let by = smoothing(alpha, alpha * beta, (1.0 - alpha) * gamma, phi);
        (by, level, trend)
    };
    let at = [0.2, 0.95, 0.15, 0.004, 0.9, 0.12];
    for (multiplied, relative) in [(false, false), (false, true), (true, true)] {
        let season = if multiplied { week.to_vec() } else { week.map(|s| s - 1.0).to_vec() };
        let loss = |x: [f64; 6]| {
            let (by, level, trend) = point(x);
            let start = state(level, trend, &season, multiplied);
            let mut lanes = SeasonLanes::<6>::new(7);
            let run = match (multiplied, relative) {
                (true, _) => pass::<Started, 6, true, true>,
                (_, true) => pass::<Started, 6, false, true>,
                _ => pass::<Started, 6, false, false>,
            };
            run(&demand, &by, &start, &mut lanes, f64::INFINITY).unwrap()
        };
        let here = loss(at);
        for lane in 0..6 {
            let moved = |by: f64| {
                let mut x = at;
                x[lane] += by;
                loss(x).value
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let got = 2.0 * here.gradient[lane];
            let near = (slope - got).abs() < 1e-5 * (1.0 + slope.abs());
            assert!(near, "lane {lane} {multiplied} {relative}: {got} instead of {slope}");
        }
    }
}

#[test]
fn what_a_history_cannot_carry_is_left_out() {
    let spec = |demand: &[f64], asked| Ets::fit_spec(&History::of(demand), asked).unwrap().spec;
    let positive: Vec<f64> = noise(60, 5).iter().map(|e| 5.0 + e).collect();
    assert_eq!(spec(&positive, EtsSpec::MADM), EtsSpec::MADM);
    let mut with_zero = positive.clone();
    with_zero[30] = 0.0;
    assert_eq!(spec(&with_zero, EtsSpec::MADM), EtsSpec::AADA);
    assert_eq!(spec(&positive[..13], EtsSpec::MAM), EtsSpec::MAN);
    assert_eq!(spec(&positive[..8], EtsSpec::AADN), EtsSpec::ANN);
    assert_eq!(spec(&positive[..1], EtsSpec::AAA), EtsSpec::ANN);
    let unseasonal = History::with_seasons(&positive, &[]);
    assert_eq!(Ets::fit_spec(&unseasonal, EtsSpec::AAA).unwrap().spec, EtsSpec::AAN);
}

#[test]
fn the_choice_finds_what_made_the_history() {
    let auto = |demand: &[f64], choice| {
        AutoEts { choice, ..AutoEts::default() }.fit(&History::of(demand)).unwrap().spec
    };
    let errors = noise(400, 11);
    let trended: Vec<f64> = (0..400).map(|t| 100.0 + t as f64 + errors[t]).collect();
    let weekly: Vec<f64> = (0..400).map(|t| (t % 7) as f64 * 4.0 + errors[t]).collect();
    for choice in [Choice::Aicc, Choice::HeldOut] {
        let chosen = auto(&trended, choice);
        assert!(chosen.has_trend() && !chosen.is_seasonal(), "{}", chosen.as_str());
        assert_eq!(auto(&weekly, choice), EtsSpec::ANA);
        assert_eq!(auto(&errors, choice), EtsSpec::ANN);
        assert_eq!(auto(&[3.0; 400], choice), EtsSpec::ANN);
    }
}

#[test]
fn seasons_of_any_length_with_missing_steps() {
    for ring in [2, 3, 7, 12, 24, 52, 168] {
        let season = |t: usize| 10.0 + 5.0 * ((t * 7919 + 13) % ring) as f64 / ring as f64;
        let demand: Vec<f64> =
            (0..4 * ring + 5).map(|t| if t % 11 == 3 { f64::NAN } else { season(t) }).collect();
        let seasons = [ring];
        let history = History::with_seasons(&demand, &seasons);
        for spec in [EtsSpec::ANA, EtsSpec::AADA, EtsSpec::MNM] {
            let fitted = Ets::fit_spec(&history, spec).unwrap();
            let mut out = vec![0.0; 2 * ring];
            fitted.forecast(&mut out);
            let wanted = (demand.len()..).map(season);
            let error = out.iter().zip(wanted).map(|(a, b)| (a - b).abs()).sum::<f64>();
            assert!(error / (out.len() as f64) < 0.6, "{ring} {} {error}", fitted.spec.as_str());
        }
    }
}

#[test]
fn an_update_is_a_filter() {
    let demand: Vec<f64> =
        noise(90, 21).iter().enumerate().map(|(t, e)| 9.0 + (t % 7) as f64 + e).collect();
    for &spec in EtsSpec::ALL {
        let sample = Sample::of(&History::of(&demand[..70])).unwrap();
        let found = sample.search(spec, 70, None, GAIN_MIN).unwrap();
        let mut followed =
            Ets::end_of(&sample, spec, Found { loss: found.loss, point: found.point.clone() });
        demand[70..].iter().for_each(|d| followed.update(*d));
        let start = found.point.start.clone();
        let mut filtered = Ets { state: start, ..followed.clone() };
        demand.iter().for_each(|d| filtered.update(*d));
        assert_eq!(followed, filtered, "{}", spec.as_str());
    }
}

#[test]
fn a_multiplicative_model_survives_what_it_was_not_fitted_to() {
    let demand: Vec<f64> = noise(90, 2).iter().map(|e| 20.0 + e).collect();
    let mut fitted = Ets::fit_spec(&History::of(&demand), EtsSpec::MAM).unwrap();
    for t in 0..3000 {
        fitted.update(if t % 400 == 399 { 1e9 } else { 0.0 });
        let [mean] = forecast(&fitted);
        assert!(mean.is_finite(), "{t}: {fitted:?}");
    }
}

#[test]
fn the_nights_models_learn_a_repeating_week() {
    let week = [4.0, 5.0, 6.0, 5.0, 9.0, 14.0, 13.0];
    let demand: Vec<f64> =
        (0..140).map(|t| if t % 11 == 3 { f64::NAN } else { week[t % 7] }).collect();
    for damped in [false, true] {
        let fitted = Ets::fit(&History::of(&demand), damped).unwrap();
        for (step, got) in forecast::<14>(&fitted).iter().enumerate() {
            assert!((got - week[step % 7]).abs() < 0.8, "{damped} {step}: {got}");
        }
    }
}
