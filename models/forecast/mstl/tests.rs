use super::*;

fn wave(t: usize) -> f64 {
    let day = [-6.0, -2.0, 4.0, 9.0, 3.0, -8.0][t % 6];
    let week = if t % 42 < 12 { 5.0 } else { -2.0 };
    60.0 + day + week
}

fn forecast(fitted: &Mstl, horizon: usize) -> Vec<f64> {
    let mut out = vec![0.0; horizon];
    fitted.forecast(&mut out);
    out
}

#[test]
fn two_seasons_go_on_also_after_missing_steps() {
    let demand: Vec<f64> = (0..420).map(|t| if t % 29 == 3 { f64::NAN } else { wave(t) }).collect();
    let history = History::with_seasons(&demand, &[6, 42]);
    for remainder in [Model::Ses, Model::DynamicOptimizedTheta, Model::Mean] {
        let fitted = Mstl::fit(&history, remainder).unwrap();
        for (step, got) in forecast(&fitted, 84).into_iter().enumerate() {
            assert!((got - wave(420 + step)).abs() < 1.5, "{remainder:?} {step}: {got}");
        }
    }
}

/// Further steps meet the season where the history left it, and the remainder's model alone.
#[test]
fn an_update_moves_the_seasons_and_the_remainder() {
    let demand: Vec<f64> = (0..420).map(wave).collect();
    let mut fitted = Mstl::fit(&History::with_seasons(&demand, &[6, 42]), Model::Ses).unwrap();
    (420..450).for_each(|t| fitted.update(if t == 433 { f64::NAN } else { wave(t) + 10.0 }));
    for (step, got) in forecast(&fitted, 42).into_iter().enumerate() {
        assert!((got - wave(450 + step)).abs() < 10.5, "{step}: {got}");
    }
    assert_eq!(fitted.cycles[0].next, 30 % 6);
    assert_eq!(fitted.cycles[1].next, 30);
}

#[test]
fn a_season_of_more_than_half_the_history_is_left_out() {
    let demand: Vec<f64> = (0..80).map(wave).collect();
    let history = History::with_seasons(&demand, &[6, 42]);
    assert_eq!(Mstl::fit(&history, Model::Ses).unwrap().cycles.len(), 1);
    let short = History::with_seasons(&demand[..11], &[6, 42]);
    let plain = Mstl::fit(&short, Model::Ses).unwrap();
    let mut expected = [0.0; 3];
    Model::Ses.fit(&short).unwrap().forecast(&mut expected);
    assert_eq!(forecast(&plain, 3), expected);
}
