//! Seeded random numbers. One generator per purpose and subject, so that what one item draws never
//! depends on how many draws another took or on which thread it ran.

use std::f64::consts::TAU;

/// splitmix64 (Steele, Lea & Flood 2014): the state is a counter, the output a hash of it.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

/// What a stream of random numbers is for; with the seed and an index it names the stream.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    Catalogue = 1,
    Weather,
    Supplier,
    Demand,
    Inventory,
    Returns,
    Behaviour,
    Shoppers,
    Promotions,
    Prices,
    Presale,
}

impl Random {
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Random {
        let mut random = Random { state: seed };
        // Hashing between the parts keeps neighbouring seeds and indices from sharing a stream.
        random.state = random.next_u64() ^ (purpose as u64).wrapping_mul(0xA24B_AED4_963E_E407);
        random.state = random.next_u64() ^ index.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        random.state = random.next_u64();
        random
    }

    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in the open interval (0, 1).
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `low..=high`.
    pub fn integer(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low + 1).max(1) as f64;
        low + ((self.unit() * span) as i64).min(high - low)
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            None
        } else {
            from.get(self.integer(0, from.len() as i64 - 1) as usize)
        }
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// `exp` of a normal with mean `mu` and standard deviation `sigma`.
    pub fn log_normal(&mut self, mu: f64, sigma: f64) -> f64 {
        (mu + sigma * self.normal()).exp()
    }

    /// Gamma with the given shape and scale 1 (Marsaglia & Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.unit().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        let y = self.gamma(b);
        if x + y > 0.0 { x / (x + y) } else { 0.5 }
    }

    /// Poisson: by products of uniforms below 20, by transformed rejection above (Hörmann 1993).
    pub fn poisson(&mut self, mean: f64) -> i64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean >= 20.0 {
            return self.poisson_ptrs(mean);
        }
        let limit = (-mean).exp();
        let mut count = 0;
        let mut product = self.unit();
        while product > limit {
            count += 1;
            product *= self.unit();
        }
        count
    }

    fn poisson_ptrs(&mut self, mean: f64) -> i64 {
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let v_r = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = self.unit();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k as i64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let accept = v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln();
            if accept <= -mean + k * mean.ln() - ln_factorial(k) {
                return k as i64;
            }
        }
    }

    /// Negative binomial with variance `mean + dispersion × mean²`; dispersion 0 is Poisson.
    pub fn negative_binomial(&mut self, mean: f64, dispersion: f64) -> i64 {
        if mean <= 0.0 {
            return 0;
        }
        if dispersion <= 0.0 {
            return self.poisson(mean);
        }
        let shape = 1.0 / dispersion;
        let rate = mean * self.gamma(shape) / shape;
        self.poisson(rate)
    }

    pub fn binomial(&mut self, trials: i64, probability: f64) -> i64 {
        // Returns are few per day, so counting trials is quicker than anything clever.
        if trials > 200 {
            let mean = trials as f64 * probability;
            let drawn = mean + (mean * (1.0 - probability)).sqrt() * self.normal();
            return (drawn.round() as i64).clamp(0, trials);
        }
        (0..trials).filter(|_| self.chance(probability)).count() as i64
    }
}

/// Stirling's series, good to 1e-10 from 10 on; products below.
fn ln_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=k as i64).map(|i| (i as f64).ln()).sum();
    }
    let n = k + 1.0;
    (n - 0.5) * n.ln() - n + 0.5 * TAU.ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, mean: f64, variance: f64, mut draw: impl FnMut(&mut Random) -> f64) {
        let mut random = Random::new(7, Purpose::Demand, 3);
        let n = 40_000;
        let values: Vec<f64> = (0..n).map(|_| draw(&mut random)).collect();
        let got = values.iter().sum::<f64>() / f64::from(n);
        let spread = values.iter().map(|v| (v - got).powi(2)).sum::<f64>() / f64::from(n);
        let tolerance = 5.0 * (variance / f64::from(n)).sqrt();
        assert!((got - mean).abs() < tolerance, "{name}: mean {got}, want {mean}");
        assert!((spread / variance - 1.0).abs() < 0.08, "{name}: variance {spread}, {variance}");
    }

    #[test]
    fn moments_are_those_of_the_named_distribution() {
        check("uniform", 0.5, 1.0 / 12.0, Random::unit);
        check("normal", 0.0, 1.0, Random::normal);
        check("gamma 0.5", 0.5, 0.5, |r| r.gamma(0.5));
        check("gamma 4", 4.0, 4.0, |r| r.gamma(4.0));
        check("beta", 0.25, 0.25 * 0.75 / 9.0, |r| r.beta(2.0, 6.0));
        for mean in [0.02, 0.7, 6.0, 19.9, 20.1, 75.0, 900.0] {
            check("poisson", mean, mean, |r| r.poisson(mean) as f64);
            let variance = mean + 0.2 * mean * mean;
            check("negbin", mean, variance, |r| r.negative_binomial(mean, 0.2) as f64);
        }
        check("binomial", 3.0, 2.1, |r| r.binomial(10, 0.3) as f64);
    }

    #[test]
    fn streams_of_neighbours_differ() {
        let first = |seed, purpose, index| Random::new(seed, purpose, index).next_u64();
        let streams = [
            first(1, Purpose::Demand, 0),
            first(1, Purpose::Demand, 1),
            first(2, Purpose::Demand, 0),
            first(1, Purpose::Returns, 0),
        ];
        for (i, a) in streams.iter().enumerate() {
            assert!(streams[i + 1..].iter().all(|b| b != a));
        }
    }
}
