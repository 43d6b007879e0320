use super::*;

fn theta(variant: Variant, alpha: f64, weight: f64, level: f64, values: &[f64]) -> Theta {
    let history = History::with_seasons(values, &[]);
    let season = SeasonIndex::none();
    let line = Search::new(history.demand, &season, variant.is_dynamic()).line();
    let mut fitted = Theta { alpha, weight, filter: Filter::new(level, line), season };
    values.iter().for_each(|&value| fitted.update(value));
    fitted
}

/// Demand 10, 14, 12 with alpha 1/2, theta 2 and a first level of 8. The line is 10 + t, the level
/// goes 9, 11.5, 11.75, and the next mean is 11.75 + (10/8 + (1 - 1/16) / (1/2)) / 2.
#[test]
fn standard_by_hand() {
    let fitted = theta(Variant::Standard, 0.5, 0.5, 8.0, &[10.0, 14.0, 12.0]);
    let mut out = [0.0; 3];
    fitted.forecast(&mut out);
    assert_eq!(fitted.filter.level, 11.75);
    for (got, expected) in out.iter().zip([13.3125, 13.8125, 14.3125]) {
        assert!((got - expected).abs() < 1e-12, "half the slope a step: {out:?}");
    }
}

/// The same demand in the dynamic model. Its line after three steps is the standard one's; the mean
/// 13.3125 becomes a fourth observation, with which the line is 9.84375 + 0.99375 (t - 0.0), the
/// level 12.53125, and the second mean 12.53125 + (a/16 + b (1 - 1/32) / (1/2)) / 2.
#[test]
fn dynamic_by_hand() {
    let fitted = theta(Variant::Dynamic, 0.5, 0.5, 8.0, &[10.0, 14.0, 12.0]);
    let mut out = [0.0; 2];
    fitted.forecast(&mut out);
    assert!((out[0] - 13.3125).abs() < 1e-12, "{out:?}");
    let mut line = Regression::default();
    [10.0, 14.0, 12.0, 13.3125].iter().for_each(|&value| line.observe(value));
    let (a, b) = line.coefficients();
    let mean = (10.0 + 14.0 + 12.0 + 13.3125) / 4.0;
    let slope = (-1.5 * 10.0 - 0.5 * 14.0 + 0.5 * 12.0 + 1.5 * 13.3125) / 5.0;
    assert!((b - slope).abs() < 1e-12 && (a - (mean - 2.5 * slope)).abs() < 1e-12, "{line:?}");
    let second = 12.53125 + 0.5 * (a / 16.0 + b * (1.0 - 1.0 / 32.0) / 0.5);
    assert!((out[1] - second).abs() < 1e-12, "{out:?} {second}");
}

/// Equation 18 of the paper: `b_t = ((t-2) b + 6 (y - mean) / t) / (t+1)`.
#[test]
fn the_running_slope_is_the_papers_recursion() {
    let (mut line, mut mean, mut slope) = (Regression::default(), 0.0, 0.0);
    for step in 1..40 {
        let (t, value) = (f64::from(step), f64::from((step * step * 37) % 23));
        if step > 1 {
            slope = ((t - 2.0) * slope + 6.0 * (value - mean) / t) / (t + 1.0);
        }
        mean += (value - mean) / t;
        line.observe(value);
        let (intercept, got) = line.coefficients();
        assert!((got - slope).abs() < 1e-10, "step {step}: {got} {slope}");
        assert!((intercept - (mean - slope * (t + 1.0) / 2.0)).abs() < 1e-10);
    }
}

/// The loss that the search solves for is that of the filter, and no neighbour is better.
#[test]
fn the_search_finds_the_filters_least_squared_error() {
    let values: Vec<f64> =
        (0..60).map(|t| 30.0 + 0.8 * f64::from(t) + f64::from((t * t * 31) % 17)).collect();
    let loss = |variant: Variant, alpha: f64, weight: f64, level: f64| {
        let line = Search::new(&values, &SeasonIndex::none(), variant.is_dynamic()).line();
        let mut filter = Filter::new(level, line);
        let mut sum = 0.0;
        for (t, &value) in values.iter().enumerate() {
            let error = value - filter.mean(weight);
            sum += if t < 3 { 0.0 } else { error * error };
            filter.observe(value, alpha);
        }
        sum
    };
    for variant in Variant::ALL {
        let search = Search::new(&values, &SeasonIndex::none(), variant.is_dynamic());
        let best = search.best(variant.is_optimized()).unwrap();
        let least = loss(variant, best.alpha, best.weight, best.level);
        let free = if variant.is_optimized() { 0.01 } else { 0.0 };
        for (a, w, l) in [(0.01, 0.0, 0.0), (0.0, free, 0.0), (0.0, 0.0, 0.5), (0.01, free, -0.5)] {
            for sign in [-1.0, 1.0] {
                let alpha = (best.alpha + sign * a).clamp(0.1, 0.99);
                let weight = (best.weight + sign * w).clamp(0.0, 1.0);
                let near = loss(variant, alpha, weight, best.level + sign * l);
                assert!(near >= least * (1.0 - 1e-9), "{variant:?} {best:?}: {near} {least}");
            }
        }
    }
}

/// Data that the standard model makes, without noise, is forecast as it goes on.
#[test]
fn what_the_model_made_is_continued() {
    let mut season = (0..).map(|t| [0.8, 1.1, 1.3, 0.8][t % 4]);
    let line = |t: usize| 200.0 + 3.0 * t as f64;
    let made: Vec<f64> = (0..120).map(|t| line(t) * season.next().unwrap()).collect();
    for variant in Variant::ALL {
        let fitted = Theta::fit(&History::with_seasons(&made[..104], &[4]), variant).unwrap();
        let mut out = [0.0; 16];
        fitted.forecast(&mut out);
        for (got, expected) in out.iter().zip(&made[104..]) {
            // A theta of 2 takes half the slope.
            let near = if variant.is_optimized() { 0.01 } else { 0.08 };
            assert!((got / expected - 1.0).abs() < near, "{variant:?}: {got} {expected}");
        }
    }
}

#[test]
fn time_goes_on_over_missing_steps() {
    let line: Vec<f64> = (0..90).map(|t| 40.0 + f64::from(t)).collect();
    let holes: Vec<f64> =
        line.iter().enumerate().map(|(t, d)| if t % 3 == 1 { f64::NAN } else { *d }).collect();
    for variant in [Variant::Optimized, Variant::DynamicOptimized] {
        let fitted = Theta::fit(&History::with_seasons(&holes[..80], &[]), variant).unwrap();
        let mut out = [0.0; 10];
        fitted.forecast(&mut out);
        for (got, expected) in out.iter().zip(&line[80..]) {
            assert!((got - expected).abs() < 0.2, "{variant:?}: {got} {expected}");
        }
    }
}

#[test]
fn the_criterion_charges_for_theta() {
    let noise: Vec<f64> = (0..200_u64).map(|t| 50.0 + ((t * t * 7919) % 101) as f64).collect();
    let fitted = Theta::fit_auto(&History::with_seasons(&noise, &[])).unwrap();
    assert_eq!(fitted.weight, 0.5, "noise has no reason for a theta of its own");
}

/// With the parameters of a short history, filtering the long one or updating over the rest of it
/// comes to the same state, to the bit.
#[test]
fn an_update_is_a_refilter() {
    let wave = |t: usize| 30.0 + [3.0, -2.0, 7.0][t % 3] + ((t * t * 31) % 7) as f64;
    let demand: Vec<f64> = (0..140).map(|t| if t % 13 == 5 { f64::NAN } else { wave(t) }).collect();
    let (short, long) =
        (History::with_seasons(&demand[..100], &[3]), History::with_seasons(&demand, &[3]));
    for variant in Variant::ALL {
        let mut updated = Theta::fit(&short, variant).unwrap();
        demand[100..].iter().for_each(|&demand| updated.update(demand));
        let season = seasonal(&short).unwrap();
        assert!(!season.is_none());
        let search = Search::new(short.demand, &season, variant.is_dynamic());
        let best = search.best(variant.is_optimized()).unwrap();
        assert_eq!(updated, Theta::filtered(&long, season, &search, &best));
    }
}
