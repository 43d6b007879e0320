//! A long simulation: the fill rate asked for is the fill rate reached.

use granary_models::policy::order::{Needs, Target, UnitMoney, Window, needs, raw_quantity};
use granary_models::policy::projection::{Opening, PathMatrix, Shortage};

/// SplitMix64 (Steele, Lea & Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut count) = ((-mean).exp(), 1.0, -1.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }

    /// Poisson with a mean that is itself random: a coefficient of variation of 0.6, not 0.45.
    fn uneven(&mut self) -> f64 {
        let mean = 3.0 - 2.0 * (1.0 - self.uniform()).ln();
        self.poisson(mean)
    }
}

struct Trial {
    lead_time_days: usize,
    review_days: usize,
    shortage: Shortage,
    target: f64,
    uneven: bool,
}

/// Replays (R, S) reviews against demand of the very distribution that the paths are drawn from.
fn achieved(trial: &Trial) -> f64 {
    const WARM_UP: usize = 20;
    let (paths, reviews) = (2_048, 6_000);
    let mut random = Random(7);
    // Ten at a time, so that a single unit more or less does not matter.
    let mut draw = |uneven: bool| 10.0 * if uneven { random.uneven() } else { random.poisson(5.0) };
    let Trial { lead_time_days, review_days, .. } = *trial;
    let days = lead_time_days + review_days;
    let window =
        Window { arrive: vec![lead_time_days as f64; paths], until: vec![days as f64; paths] };
    let (mut demand, mut receipts) = (PathMatrix::default(), PathMatrix::default());
    let (mut lack, mut scratch) = (Needs::default(), Vec::new());
    let mut pipeline = vec![0.0; days + 1];
    let (mut stock, mut asked, mut short) = (300.0f64, 0.0, 0.0);
    // The forecast of a stationary demand is the same every night. Drawing it anew would not be:
    // stock cannot be given back, so the target would follow the highest of many guesses.
    demand.reset(paths, days, 0.0);
    demand.values.iter_mut().for_each(|value| *value = draw(trial.uneven));
    for review in 0..reviews {
        receipts.reset(paths, days, 0.0);
        for (day, &qty) in pipeline.iter().enumerate() {
            receipts.add_on(day, qty);
        }
        let opening =
            Opening { net: stock as i64, unlotted: stock.max(0.0) as i64, ..Opening::default() };
        needs(&demand, &receipts, &opening, &window, trial.shortage, &mut lack);
        let target = Target::Fill(trial.target);
        let qty = raw_quantity(&lack, target, UnitMoney::default(), &mut scratch).qty;
        pipeline[lead_time_days] += qty as f64;
        for _ in 0..review_days {
            stock += pipeline.remove(0);
            pipeline.push(0.0);
            let wanted = draw(trial.uneven);
            let missing = wanted - wanted.min(stock.max(0.0));
            stock -= if trial.shortage == Shortage::Lost { wanted - missing } else { wanted };
            if review >= WARM_UP {
                asked += wanted;
                short += missing;
            }
        }
    }
    1.0 - short / asked
}

#[test]
fn the_fill_rate_asked_for_is_reached() {
    for shortage in [Shortage::Lost, Shortage::BackOrdered] {
        for (lead_time_days, review_days) in [(2, 4), (6, 4)] {
            for (target, uneven) in [(0.9, false), (0.98, true)] {
                let trial = Trial { lead_time_days, review_days, shortage, target, uneven };
                let fill = achieved(&trial);
                let trial = format!(
                    "{shortage:?} L={lead_time_days} R={review_days} uneven={uneven}: \
                     {fill:.4} for {target}"
                );
                println!("{trial}");
                assert!((fill - target).abs() < 0.01, "{trial}");
            }
        }
    }
}
