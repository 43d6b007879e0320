use super::*;

/// One step of each seasonality by hand: demand 14, level 10, potential 9, a = 1.2, b = 0.9.
#[test]
fn one_step_by_hand() {
    let [level, potential] = Moves::by(1.2, 0.9).moved([10.0, 9.0], 4.0);
    // 10 - 0.1 * 9 + 0.3 * 4, and 10 - 0.2 * 9 + 2.1 * 4.
    assert!((level - 10.3).abs() < 1e-12 && (potential - 16.6).abs() < 1e-12);
    let moves = moves(&[1.2, 0.9, 0.25, 0.0]);
    let mut states = [[10.0, 9.0], [2.0, 0.0]];
    assert_eq!(mean(Seasonality::Partial, &states), 12.0);
    step(Seasonality::Partial, &moves, &mut states, 2.0);
    assert!((states[0][0] - 9.7).abs() < 1e-12 && states[1][0] == 2.5, "{states:?}");
}

fn forecast(demand: &[f64], seasons: &[usize], horizon: usize) -> (Ces, Vec<f64>) {
    let fitted = Ces::fit(&History::with_seasons(demand, seasons)).unwrap();
    let mut out = vec![0.0; horizon];
    fitted.forecast(&mut out);
    (fitted, out)
}

/// Data that the partial model makes, with noise: its parameters are found again.
#[test]
fn what_the_model_made_is_found_again() {
    let mut made = Ces {
        seasonality: Seasonality::Partial,
        weights: [1.4, 1.0, 0.1, 0.0],
        centre: 0.0,
        pair: [100.0, 100.0],
        ring: [-8.0, 2.0, 9.0, -3.0].map(|index| [index, 0.0]).to_vec(),
        next: 0,
    };
    let mut state = 42_u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 33) as f64 / (1_u64 << 31) as f64 - 0.5) * 6.0
    };
    let mut draw = || {
        let mut mean = [0.0];
        made.forecast(&mut mean);
        let demand = mean[0] + noise();
        made.update(demand);
        demand
    };
    let demand: Vec<f64> = (0..800).map(|_| draw()).collect();
    let (loss, fitted) = Ces::fit_as(&demand, 4, Seasonality::Partial).unwrap();
    assert!((fitted.weights[0] - 1.4).abs() < 0.15, "{fitted:?}");
    assert!((fitted.weights[1] - 1.0).abs() < 0.05, "{fitted:?}");
    assert!(loss / 800.0 < 3.1, "the noise has variance 3: {}", loss / 800.0);
}

#[test]
fn a_season_is_chosen_where_there_is_one() {
    let season = [3.0, -2.0, 7.0, -8.0];
    let wave = |t: usize| 50.0 + season[t % 4] + ((t * t * 31) % 7) as f64 / 7.0;
    let demand: Vec<f64> = (0..120).map(|t| if t % 13 == 5 { f64::NAN } else { wave(t) }).collect();
    let (fitted, out) = forecast(&demand, &[4], 8);
    assert_ne!(fitted.seasonality, Seasonality::None);
    for (t, got) in out.iter().enumerate() {
        assert!((got - wave(120 + t)).abs() < 1.5, "{t}: {got} {}", wave(120 + t));
    }
    let (fitted, _) = forecast(&demand, &[], 8);
    assert_eq!(fitted.seasonality, Seasonality::None);
}

/// A fading pair fades to the mean of demand and not to nothing.
#[test]
fn far_ahead_demand_stays_near_its_mean() {
    let demand: Vec<f64> = (0..200_u64).map(|t| 50.0 + ((t * t * 7919) % 101) as f64).collect();
    let (fitted, out) = forecast(&demand, &[], 400);
    assert!((fitted.centre - 100.0).abs() < 5.0, "{fitted:?}");
    assert!((out[399] - fitted.centre).abs() < 20.0, "{}", out[399]);
}

/// With the parameters and first states of a short history, filtering the long one or updating over
/// the rest of it comes to the same state, to the bit.
#[test]
fn an_update_is_a_refilter() {
    let wave = |t: usize| 50.0 + [3.0, -2.0, 7.0, -8.0][t % 4] + ((t * t * 31) % 7) as f64;
    let demand: Vec<f64> = (0..140).map(|t| if t % 13 == 5 { f64::NAN } else { wave(t) }).collect();
    for kind in Seasonality::ALL {
        let history = History::with_seasons(&demand[..100], &[4]);
        let mut updated = Ces::fit_kind(&history, kind).unwrap();
        demand[100..].iter().for_each(|&demand| updated.update(demand));
        let (_, mut refiltered) = Ces::fit_as(&demand[..100], 4, kind).unwrap();
        demand.iter().for_each(|&demand| refiltered.update(demand));
        assert_eq!(updated, refiltered);
    }
}
