//! Forecasts that are fully specified are those of statsforecast 2.1.1, whose values these are;
//! `benches/peers/intermittent.py` compares many more series.

use granary_models::forecast::adida::Adida;
use granary_models::forecast::croston::Croston;
use granary_models::forecast::imapa::Imapa;
use granary_models::forecast::model::{FitError, Fitted, History};
use granary_models::forecast::naive::Naive;
use granary_models::forecast::random_walk_with_drift::RandomWalkWithDrift;
use granary_models::forecast::seasonal_naive::SeasonalNaive;
use granary_models::forecast::seasonal_window_average::SeasonalWindowAverage;
use granary_models::forecast::ses::Ses;
use granary_models::forecast::tsb::Tsb;
use granary_models::forecast::window_average::WindowAverage;

const LUMPY: [f64; 30] = [
    0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 7.0, 1.0, 0.0, 0.0, 0.0, 0.0, 12.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 5.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 4.0, 0.0,
];
const SMOOTH: [f64; 30] = [
    12.0, 15.0, 9.0, 14.0, 22.0, 31.0, 27.0, 11.0, 13.0, 8.0, 16.0, 24.0, 29.0, 25.0, 14.0, 12.0,
    10.0, 15.0, 21.0, 33.0, 28.0, 13.0, 16.0, 9.0, 17.0, 20.0, 30.0, 26.0, 12.0, 14.0,
];

fn check<F: Fitted>(
    fit: impl Fn(&History) -> Result<F, FitError>,
    lumpy: [f64; 3],
    smooth: [f64; 3],
) {
    check_within(1e-9, fit, lumpy, smooth);
}

fn check_within<F: Fitted>(
    tolerance: f64,
    fit: impl Fn(&History) -> Result<F, FitError>,
    lumpy: [f64; 3],
    smooth: [f64; 3],
) {
    for (demand, want) in [(LUMPY, lumpy), (SMOOTH, smooth)] {
        let mut out = [f64::NAN; 3];
        fit(&History::of(&demand)).expect("thirty days are enough").forecast(&mut out);
        for (got, want) in out.iter().zip(want) {
            assert!(
                (got - want).abs() < tolerance,
                "{} {out:?} {want:?}",
                std::any::type_name::<F>()
            );
        }
    }
}

#[test]
fn window_models() {
    check(Naive::fit, [0.0; 3], [14.0; 3]);
    check(SeasonalNaive::fit, [0.0, 1.0, 0.0], [9.0, 17.0, 20.0]);
    let drift = [14.0689655172, 14.1379310345, 14.2068965517];
    check(RandomWalkWithDrift::fit, [0.0; 3], drift);
    check(|h| WindowAverage::with_window(h, 14), [0.714285714286; 3], [18.8571428571; 3]);
    let weeks = |h: &History| SeasonalWindowAverage::with_values(h, 4);
    check(weeks, [0.75, 0.25, 0.0], [9.0, 15.5, 21.75]);
}

#[test]
fn smoothing_and_the_croston_family() {
    check(|h| Ses::with_alpha(h, 0.2), [0.956134133427; 3], [18.3704649715; 3]);
    check(Croston::classic, [1.08353771505; 3], [18.3293386515; 3]);
    check(Croston::sba, [1.0293608293; 3], [17.412871719; 3]);
    check(|h| Tsb::with_alphas(h, 0.2, 0.1), [0.986152822196; 3], [18.3704649715; 3]);
}

#[test]
fn searches_end_near_the_same_constants() {
    check_within(1e-3, Croston::optimized, [1.08353771505; 3], [18.4902725286; 3]);
    check_within(1e-3, Adida::fit, [0.97370875; 3], [18.4902725286; 3]);
    check_within(1e-3, Imapa::fit, [0.988349540069; 3], [18.4902725286; 3]);
}
