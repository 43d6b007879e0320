//! Formulas against simulated stock, seeded.

use granary_models::policy::textbook::demand::CountLaw;
use granary_models::policy::textbook::s_s::PeriodicReview;
use granary_models::policy::textbook::safety_stock::{NormalSupply, Review, Service, counts_level};
use granary_models::policy::textbook::serial::Serial;

struct Random(u64);

impl Random {
    /// Uniform in (0, 1) (SplitMix64).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }

    fn count(&mut self, law: &CountLaw) -> f64 {
        let pmf = law.over(1.0).expect("one period");
        let level = self.next();
        let mut sum = 0.0;
        for (k, p) in pmf.probabilities().iter().enumerate() {
            sum += p;
            if sum >= level {
                return (pmf.first() + k) as f64;
            }
        }
        pmf.last() as f64
    }
}

/// Fill rate of (R,S) with back-orders: at the start of every R-th period up to S, usable `lead`
/// periods later, before that period's demand.
fn simulated_r_s(
    level: f64,
    lead: usize,
    review: usize,
    periods: usize,
    mut demand: impl FnMut() -> f64,
) -> f64 {
    let (mut net, mut arriving) = (level, vec![0.0; lead + 1]);
    let (mut asked, mut short) = (0.0, 0.0);
    for t in 0..periods {
        if t % review == 0 {
            arriving[lead] += level - net - arriving.iter().sum::<f64>();
        }
        net += arriving.remove(0);
        arriving.push(0.0);
        let demand = demand();
        let before = f64::max(-net, 0.0);
        net -= demand;
        asked += demand;
        short += f64::max(-net, 0.0) - before;
    }
    1.0 - short / asked
}

#[test]
fn fill_rates_of_periodic_review_are_those_of_simulated_stock() {
    let poisson = CountLaw::poisson(4.0).expect("legal");
    let lumpy = CountLaw::negative_binomial(3.0, 3.5).expect("legal");
    let table = CountLaw::table(&[(0.0, 0.6), (2.0, 0.3), (9.0, 0.1)]).expect("legal");
    let mut random = Random(7);
    for (name, law) in [("poisson", poisson), ("lumpy", lumpy), ("table", table)] {
        for (lead, review, target) in [(0, 1, 0.9), (3, 2, 0.6), (5, 1, 0.95), (2, 4, 0.98)] {
            let review_every = Review::each(review as f64).expect("legal");
            let service = Service::fill(target).expect("legal");
            let got = counts_level(&law, lead as f64, review_every, service).expect("legal");
            let draws: Vec<f64> = {
                let pmf = law.over(1.0).expect("one period");
                (0..4096).map(|k| pmf.quantile((f64::from(k) + 0.5) / 4096.0) as f64).collect()
            };
            let simulated = simulated_r_s(got.level, lead, review, 400_000, || {
                draws[(random.next() * 4096.0) as usize % 4096]
            });
            let here = format!("{name} {lead} {review} {target}: {got:?} {simulated}");
            assert!((simulated - got.fill_rate).abs() < 0.006, "{here}");
            assert!(got.fill_rate >= target, "{here}");
            let fewer = simulated_r_s(got.level - 1.0, lead, review, 400_000, || {
                draws[(random.next() * 4096.0) as usize % 4096]
            });
            assert!(fewer < target + 0.006, "{here}: one fewer gives {fewer}");
        }
    }
}

#[test]
fn normal_fill_rates_keep_the_shortage_that_was_there_before() {
    let mut random = Random(11);
    // A long lead time and a low target: without the second term the fill rate would be far off.
    for (lead, review, target) in [(8, 1, 0.5), (8, 1, 0.9), (2, 5, 0.97), (0, 3, 0.8)] {
        let supply = NormalSupply::new(50.0, 15.0, lead as f64, 0.0).expect("legal");
        let review_every = Review::each(review as f64).expect("legal");
        let got = supply.level(review_every, Service::fill(target).expect("legal")).expect("legal");
        let simulated = simulated_r_s(got.level, lead, review, 400_000, || {
            f64::max(50.0 + 15.0 * random.normal(), 0.0)
        });
        assert!((got.fill_rate - target).abs() < 1e-9, "{got:?}");
        assert!((simulated - target).abs() < 0.006, "{lead} {review} {target}: {simulated}");
    }
}

/// Fill rate of (s,Q) under Poisson demand, a unit at a time.
fn simulated_s_q(level: f64, quantity: f64, mean: f64, lead: f64, random: &mut Random) -> f64 {
    let (mut now, mut net, mut position) = (0.0, level + quantity, level + quantity);
    let mut arriving = std::collections::VecDeque::new();
    let (mut asked, mut met) = (0.0, 0.0);
    for _ in 0..600_000 {
        now -= random.next().ln() / mean;
        while arriving.front().is_some_and(|due| *due <= now) {
            arriving.pop_front();
            net += quantity;
        }
        asked += 1.0;
        met += if net > 0.0 { 1.0 } else { 0.0 };
        net -= 1.0;
        position -= 1.0;
        if position <= level {
            position += quantity;
            arriving.push_back(now + lead);
        }
    }
    met / asked
}

#[test]
fn fill_rates_of_fixed_quantities_are_those_of_simulated_stock() {
    let mut random = Random(3);
    for (mean, lead, quantity, target) in
        [(4.0, 2.0, 10.0, 0.95), (1.5, 4.0, 2.0, 0.6), (6.0, 1.0, 40.0, 0.7), (0.4, 3.0, 1.0, 0.9)]
    {
        let law = CountLaw::poisson(mean).expect("legal");
        let review = Review::quantity(quantity).expect("legal");
        let service = Service::fill(target).expect("legal");
        let got = counts_level(&law, lead, review, service).expect("legal");
        let simulated = simulated_s_q(got.level, quantity, mean, lead, &mut random);
        let here = format!("{mean} {lead} {quantity} {target}: {got:?} {simulated}");
        assert!((simulated - got.fill_rate).abs() < 0.006 && got.fill_rate >= target, "{here}");
        let fewer = simulated_s_q(got.level - 1.0, quantity, mean, lead, &mut random);
        assert!(fewer < target + 0.006, "{here}: one fewer gives {fewer}");
        // The normal formula with the same moments is close where counts are not small.
        if mean * lead > 5.0 {
            let normal = NormalSupply::new(mean, mean.sqrt(), lead, 0.0).expect("legal");
            let near = normal.level(review, service).expect("legal");
            assert!((near.level - got.level).abs() < 1.5, "{here} {near:?}");
        }
    }
}

/// Cost a period of a serial chain under echelon base-stock levels: shipments at the start of a
/// period, receipts, count, demand. Stages from upstream.
fn simulated_chain(
    levels: &[f64],
    holding: &[f64],
    leads: &[usize],
    stockout: f64,
    mut demand: impl FnMut() -> f64,
) -> f64 {
    let stages = levels.len();
    let mut on_hand = vec![0.0; stages];
    let mut backorders = 0.0;
    let mut way: Vec<Vec<f64>> = leads.iter().map(|lead| vec![0.0; lead + 1]).collect();
    let penalty = stockout + holding.iter().sum::<f64>();
    let (mut cost, mut counted) = (0.0, 0.0);
    let (warm_up, periods) = (2_000, 400_000);
    for t in 0..periods {
        for j in 0..stages {
            // All stock at this stage and below, and what is on its way to it.
            let echelon: f64 = (j..stages)
                .map(|k| on_hand[k] + if k > j { way[k].iter().sum::<f64>() } else { 0.0 })
                .sum::<f64>()
                - backorders;
            let coming: f64 = way[j].iter().sum();
            let wanted = f64::max(levels[j] - echelon - coming, 0.0);
            let sent = if j == 0 { wanted } else { wanted.min(on_hand[j - 1]) };
            if j > 0 {
                on_hand[j - 1] -= sent;
            }
            way[j][leads[j]] += sent;
            let received = way[j].remove(0);
            way[j].push(0.0);
            on_hand[j] += received;
        }
        let served = f64::min(on_hand[stages - 1], backorders);
        on_hand[stages - 1] -= served;
        backorders -= served;
        if t >= warm_up {
            counted += 1.0;
            cost += penalty * backorders;
            let mut below = -backorders;
            for j in (0..stages).rev() {
                below += on_hand[j];
                cost += holding[j] * below;
                below += way[j].iter().sum::<f64>();
            }
        }
        backorders += demand();
        let served = f64::min(on_hand[stages - 1], backorders);
        on_hand[stages - 1] -= served;
        backorders -= served;
    }
    cost / counted
}

#[test]
fn serial_chains_cost_what_simulated_ones_do() {
    let cases: [(&[f64], &[usize], f64, f64); 3] = [
        (&[1.0], &[3], 9.0, 2.0),
        (&[1.0, 2.0], &[2, 1], 20.0, 3.0),
        (&[0.5, 1.0, 1.5], &[1, 3, 2], 15.0, 1.2),
    ];
    for (holding, leads, stockout, mean) in cases {
        let times: Vec<f64> = leads.iter().map(|&lead| lead as f64).collect();
        let chain = Serial::new(holding, &times, stockout).expect("legal");
        let best = chain.poisson(mean).expect("legal");
        let law = CountLaw::poisson(mean).expect("legal");
        let simulate = |levels: &[f64]| {
            let mut random = Random(5);
            let draws: Vec<f64> = (0..65_536).map(|_| random.count(&law)).collect();
            simulated_chain(levels, holding, leads, stockout, || {
                draws[(random.next() * 65_536.0) as usize % 65_536]
            })
        };
        let simulated = simulate(&best.echelon_base_stock_levels);
        let here = format!("{holding:?} {leads:?}: {best:?} {simulated}");
        assert!((simulated / best.cost_rate - 1.0).abs() < 0.02, "{here}");
        for j in 0..holding.len() {
            for change in [-2.0, 2.0] {
                let mut levels = best.echelon_base_stock_levels.clone();
                levels[j] += change;
                let other = simulate(&levels);
                assert!(other >= simulated * 0.999, "{here}: {levels:?} cost {other}");
            }
        }
    }
}

#[test]
fn normal_chains_are_close_to_poisson_ones_with_the_same_moments() {
    let chain = Serial::new(&[1.0, 2.0, 1.0], &[2.0, 1.0, 0.5], 30.0).expect("legal");
    let (normal, poisson) = (chain.normal(400.0, 20.0), chain.poisson(400.0));
    let (normal, poisson) = (normal.expect("legal"), poisson.expect("legal"));
    assert!((normal.cost_rate / poisson.cost_rate - 1.0).abs() < 2e-3, "{normal:?} {poisson:?}");
    for (a, b) in normal.echelon_base_stock_levels.iter().zip(&poisson.echelon_base_stock_levels) {
        assert!((a - b).abs() < 2.0, "{normal:?} {poisson:?}");
    }
}

#[test]
fn periodic_review_costs_what_simulated_stock_does() {
    let law = CountLaw::negative_binomial(2.5, 2.4).expect("legal");
    let lead = 3;
    let case = PeriodicReview::new(1.0, 8.0, 20.0, &law, lead as f64).expect("legal");
    let best = case.best().expect("small");
    let (s, up_to) = (best.reorder_point as f64, best.order_up_to_level as f64);
    let mut random = Random(17);
    let draws: Vec<f64> = (0..65_536).map(|_| random.count(&law)).collect();
    let (mut net, mut arriving, mut cost) = (up_to, vec![0.0; lead + 1], 0.0);
    let periods = 800_000;
    for _ in 0..periods {
        let position = net + arriving.iter().sum::<f64>();
        if position <= s {
            arriving[lead] += up_to - position;
            cost += 20.0;
        }
        net += arriving.remove(0);
        arriving.push(0.0);
        net -= draws[(random.next() * 65_536.0) as usize % 65_536];
        cost += if net > 0.0 { net } else { -8.0 * net };
    }
    let simulated = cost / f64::from(periods);
    assert!((simulated / best.cost_rate - 1.0).abs() < 0.01, "{best:?} {simulated}");
}
