//! The demand that a pre-sale still has before it: Gamma–Poisson, thinned, as a probability mass.

use statrs::function::gamma::ln_gamma;

use super::ProductionError;

/// Probability left out of a distribution's far end.
const TAIL: f64 = 1e-10;

/// Largest demand, in base units, whose distribution is written out unit by unit.
pub const DEMAND_QTY_MAX: f64 = 2_000_000.0;

/// What an earlier item of the category sold by pre-sale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastSeason {
    /// Base units, ≥ 0.
    pub qty: f64,
    /// Share of a whole season that the quantity covers, > 0; 1 for a finished one.
    pub exposure: f64,
}

/// Gamma(shape a, rate b) over what a whole season sells: mean a / b base units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DemandPrior {
    shape: f64,
    rate: f64,
}

impl DemandPrior {
    /// Both finite and above 0.
    pub fn new(shape: f64, rate: f64) -> Result<DemandPrior, ProductionError> {
        for (name, value) in [("prior shape", shape), ("prior rate", rate)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(ProductionError::OutOfRange { name, value, legal: "above 0" });
            }
        }
        Ok(DemandPrior { shape, rate })
    }

    /// Learned from a category's earlier seasons by moments: `Var(n) = m w + φ m² w²`, a = 1 / φ,
    /// b = a / m. φ is drawn towards 1 as if by three more items, so that a few seasons that
    /// happened to agree do not make a sure prior.
    pub fn pooled(seasons: &[PastSeason]) -> Result<DemandPrior, ProductionError> {
        const PRIOR_ITEMS: f64 = 3.0;
        let usable = || {
            seasons.iter().filter(|season| {
                season.qty.is_finite()
                    && season.qty >= 0.0
                    && season.exposure.is_finite()
                    && season.exposure > 0.0
            })
        };
        let items = usable().count() as f64;
        if items == 0.0 {
            return Err(ProductionError::NoPastSeason);
        }
        let exposure: f64 = usable().map(|season| season.exposure).sum();
        let qty: f64 = usable().map(|season| season.qty).sum();
        let mean = (qty + 0.5) / (exposure + 0.5);
        let (mut above, mut scale) = (0.0, 0.0);
        for season in usable() {
            let expected = mean * season.exposure;
            above += (season.qty - expected).powi(2) - expected;
            scale += expected * expected;
        }
        let seen = if items > 1.0 { above / scale * items / (items - 1.0) } else { 1.0 };
        let dispersion = ((items - 1.0) * seen + PRIOR_ITEMS) / (items - 1.0 + PRIOR_ITEMS);
        let shape = 1.0 / dispersion.clamp(0.02, 4.0);
        DemandPrior::new(shape, shape / mean)
    }

    pub fn mean_qty(&self) -> f64 {
        self.shape / self.rate
    }

    pub fn shape(&self) -> f64 {
        self.shape
    }

    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Mean of the season's demand after `reserved` units at `elapsed` of the season.
    pub fn updated_mean_qty(&self, reserved: f64, elapsed: f64) -> f64 {
        (self.shape + reserved) / (self.rate + elapsed)
    }
}

/// P(X = first + k) = mass[k], 0 elsewhere.
#[derive(Clone, Debug, PartialEq)]
struct Mass {
    first: usize,
    mass: Vec<f64>,
}

/// Negative binomial with real `size` r and mean m: P(k) ∝ Γ(r + k) / k! · (m / (r + m))^k.
fn negative_binomial(size: f64, mean: f64) -> Mass {
    if mean <= 0.0 {
        return Mass { first: 0, mass: vec![1.0] };
    }
    let ln_q = -(size / mean).ln_1p();
    let mut ln_mass = -size * (mean / size).ln_1p();
    let mut mass = Vec::new();
    let (mut k, mut total) = (0.0, 0.0);
    while total < 1.0 - TAIL && k < DEMAND_QTY_MAX * 2.0 {
        let here = ln_mass.exp();
        mass.push(here);
        total += here;
        // Past the mean a term this small cannot bring the rounded total any nearer to 1.
        if k > mean && here < TAIL * 1e-6 {
            break;
        }
        ln_mass += ((size + k) / (k + 1.0)).ln() + ln_q;
        k += 1.0;
    }
    let mut mass = Mass { first: 0, mass };
    mass.normalise();
    mass
}

/// Binomial: how many of `trials` are kept when each is with probability `keep`.
fn binomial(trials: usize, keep: f64) -> Mass {
    if keep >= 1.0 || trials == 0 {
        return Mass { first: trials, mass: vec![1.0] };
    }
    if keep <= 0.0 {
        return Mass { first: 0, mass: vec![1.0] };
    }
    let n = trials as f64;
    let reach = 8.0 * (n * keep * (1.0 - keep)).sqrt() + 8.0;
    let first = (n * keep - reach).floor().max(0.0);
    let last = (n * keep + reach).ceil().min(n);
    let mass = (first as usize..=last as usize)
        .map(|k| {
            let k = k as f64;
            let ways = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
            (ways + k * keep.ln() + (n - k) * (-keep).ln_1p()).exp()
        })
        .collect();
    let mut mass = Mass { first: first as usize, mass };
    mass.normalise();
    mass
}

impl Mass {
    fn normalise(&mut self) {
        let total: f64 = self.mass.iter().sum();
        for value in &mut self.mass {
            *value /= total;
        }
    }

    /// Distribution of the sum of two independent quantities.
    fn plus(&self, other: &Mass) -> Mass {
        let mut mass = vec![0.0; self.mass.len() + other.mass.len() - 1];
        for (i, &a) in self.mass.iter().enumerate() {
            for (sum, &b) in mass[i..].iter_mut().zip(&other.mass) {
                *sum += a * b;
            }
        }
        Mass { first: self.first + other.first, mass }
    }

    fn quantile(&self, level: f64) -> usize {
        let mut total = 0.0;
        for (k, &value) in self.mass.iter().enumerate() {
            total += value;
            if total >= level - 1e-12 {
                return self.first + k;
            }
        }
        self.first + self.mass.len() - 1
    }
}

/// Net demand for a batch: what reservations keep plus what the rest of the season brings.
#[derive(Clone, Debug, PartialEq)]
pub struct NetDemand {
    /// P(D > j) for j = 0, 1, …; 0 past the end.
    exceeds: Vec<f64>,
    /// E min(D, j) for j = 0 ..= exceeds.len().
    expected_min: Vec<f64>,
}

impl NetDemand {
    /// Of `reserved` paid units each stays demand with probability `keep`, and so does each of the
    /// `NegBin(a + n, (b + w) / (b + 1))` units that the season has still to bring, of which
    /// `elapsed` (w, 0..=1) is over. A thinned negative binomial keeps its size and scales its
    /// mean.
    pub fn new(
        prior: &DemandPrior,
        reserved: usize,
        elapsed: f64,
        keep: f64,
    ) -> Result<NetDemand, ProductionError> {
        NetDemand::with_open(prior, (reserved, reserved), elapsed, keep)
    }

    /// As [`NetDemand::new`] after `(reserved, open)` units, of which only `open` still need stock.
    pub fn with_open(
        prior: &DemandPrior,
        (reserved, open): (usize, usize),
        elapsed: f64,
        keep: f64,
    ) -> Result<NetDemand, ProductionError> {
        let size = prior.shape + reserved as f64;
        let to_come = size * (1.0 - elapsed) / (prior.rate + elapsed) * keep;
        let mean_qty = to_come + reserved as f64 * keep;
        if !(mean_qty <= DEMAND_QTY_MAX && reserved as f64 <= DEMAND_QTY_MAX) {
            return Err(ProductionError::DemandTooLarge { mean_qty });
        }
        Ok(NetDemand::from_mass(&binomial(open, keep).plus(&negative_binomial(size, to_come))))
    }

    fn from_mass(demand: &Mass) -> NetDemand {
        let end = demand.first + demand.mass.len();
        let mut exceeds = vec![1.0; end];
        // Summed from the far end, where the terms are small.
        let mut above = 0.0f64;
        for (k, &value) in demand.mass.iter().enumerate().rev() {
            exceeds[demand.first + k] = above.min(1.0);
            above += value;
        }
        let mut expected_min = Vec::with_capacity(end + 1);
        let mut total = 0.0;
        expected_min.push(0.0);
        for &probability in &exceeds {
            total += probability;
            expected_min.push(total);
        }
        NetDemand { exceeds, expected_min }
    }

    /// P(D ≥ qty).
    pub fn reaches(&self, qty: usize) -> f64 {
        match qty {
            0 => 1.0,
            _ => self.exceeds.get(qty - 1).copied().unwrap_or(0.0),
        }
    }

    /// E min(D, qty) in base units.
    pub fn expected_min(&self, qty: usize) -> f64 {
        self.expected_min[qty.min(self.expected_min.len() - 1)]
    }

    pub fn mean_qty(&self) -> f64 {
        self.expected_min[self.expected_min.len() - 1]
    }

    /// Demand never goes above this quantity.
    pub fn qty_max(&self) -> usize {
        self.exceeds.len()
    }

    /// Smallest quantity that demand stays at or below with probability `level`.
    pub fn quantile(&self, level: f64) -> usize {
        self.exceeds.partition_point(|&above| 1.0 - above < level - 1e-12)
    }
}

/// Smallest stock that ships every reservation not cancelled with probability `level`.
pub fn shipped_quantile(reserved: usize, cancellation_rate: f64, level: f64) -> usize {
    binomial(reserved, 1.0 - cancellation_rate).quantile(level)
}
