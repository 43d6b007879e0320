//! Demand of whole units over some periods, as probabilities.

use super::check::{ParameterError, between, finite};

/// A probability this small beside the likeliest count is left out. All that is left out then adds
/// to less than a part in 1e17, half the rounding of 1, so that no cost could show it.
const RELATIVE_MIN: f64 = 1e-20;
/// Longest list of probabilities.
pub const SUPPORT_MAX: usize = 1 << 20;
/// Largest mean over the periods looked at: beyond, a larger unit says the same.
pub const MEAN_MAX: f64 = 1e7;
/// Most multiplications in adding up the demand of several periods.
const CONVOLUTION_MAX: f64 = 1e9;

/// Probabilities of consecutive counts; they add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Pmf {
    first: usize,
    probability: Vec<f64>,
}

impl Pmf {
    /// Weights of consecutive counts from `first` on, not all 0, scaled to add up to 1.
    pub(super) fn weighted(first: usize, weight: Vec<f64>) -> Pmf {
        Pmf::new(first, weight).trimmed()
    }

    fn new(first: usize, mut weight: Vec<f64>) -> Pmf {
        let sum: f64 = weight.iter().sum();
        weight.iter_mut().for_each(|weight| *weight /= sum);
        Pmf { first, probability: weight }
    }

    /// The least count with a probability.
    pub fn first(&self) -> usize {
        self.first
    }

    /// The greatest count with a probability.
    pub fn last(&self) -> usize {
        self.first + self.probability.len() - 1
    }

    /// Probabilities of `first()..=last()`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probability
    }

    pub fn mean(&self) -> f64 {
        let above: f64 = self.probability.iter().enumerate().map(|(k, p)| k as f64 * p).sum();
        self.first as f64 + above
    }

    pub fn variance(&self) -> f64 {
        let mean = self.mean() - self.first as f64;
        self.probability.iter().enumerate().map(|(k, p)| p * (k as f64 - mean).powi(2)).sum()
    }

    /// The least count whose cumulative probability reaches `level`.
    pub fn quantile(&self, level: f64) -> usize {
        let mut sum = 0.0;
        for (k, probability) in self.probability.iter().enumerate() {
            sum += probability;
            // The sum of all may round to less than 1.
            if sum >= level * (1.0 - 1e-14) {
                return self.first + k;
            }
        }
        self.last()
    }

    /// The demand of two independent spans together.
    fn plus(&self, other: &Pmf) -> Pmf {
        let mut sum = vec![0.0; self.probability.len() + other.probability.len() - 1];
        for (i, &ours) in self.probability.iter().enumerate().filter(|(_, ours)| **ours > 0.0) {
            for (to, theirs) in sum[i..].iter_mut().zip(&other.probability) {
                *to += ours * theirs;
            }
        }
        Pmf::new(self.first + other.first, sum).trimmed()
    }

    /// Without the ends that no cost could show.
    fn trimmed(mut self) -> Pmf {
        let most = self.probability.iter().copied().fold(0.0, f64::max);
        let counts = |p: &f64| *p > RELATIVE_MIN * most;
        let from = self.probability.iter().position(counts).unwrap_or(0);
        let to = self.probability.iter().rposition(counts).unwrap_or(0);
        self.probability.truncate(to + 1);
        self.probability.drain(..from);
        self.first += from;
        self
    }
}

/// What demand of one period looks like; independent from period to period.
#[derive(Clone, Debug, PartialEq)]
pub enum CountLaw {
    Poisson {
        mean: f64,
    },
    /// A gamma mixture of Poissons: `shape` is its r, the variance `mean + mean^2 / shape`.
    NegativeBinomial {
        mean: f64,
        shape: f64,
    },
    Table(Pmf),
}

impl CountLaw {
    /// # Errors
    /// `demand_mean` not above 0 or beyond [`MEAN_MAX`].
    pub fn poisson(mean: f64) -> Result<CountLaw, ParameterError> {
        Ok(CountLaw::Poisson { mean: checked_mean(mean)? })
    }

    /// # Errors
    /// A mean as for Poisson, or a standard deviation whose square is not above the mean.
    pub fn negative_binomial(mean: f64, sd: f64) -> Result<CountLaw, ParameterError> {
        checked_mean(mean)?;
        finite("demand_sd", sd)?;
        let shape = mean * mean / (sd * sd - mean);
        if sd <= 0.0 || !(1e-6..=1e12).contains(&shape) {
            let legal = format!(
                "above {}, the square root of demand_mean; with no more spread than that, demand \
                 is Poisson",
                mean.sqrt()
            );
            return Err(ParameterError::new("demand_sd", sd, legal));
        }
        Ok(CountLaw::NegativeBinomial { mean, shape })
    }

    /// A table of counts and probabilities in any order.
    ///
    /// # Errors
    /// A count that is negative, not whole, twice there or beyond [`SUPPORT_MAX`]; a negative
    /// probability; a sum that is not 1 within 1e-6.
    pub fn table(pmf: &[(f64, f64)]) -> Result<CountLaw, ParameterError> {
        let counts = check_pmf(pmf)?;
        for &(count, _) in &counts {
            let field = format!("demand_pmf[\"{count}\"]");
            if count.fract() != 0.0 || count > SUPPORT_MAX as f64 {
                let legal = format!("for a whole count from 0 to {SUPPORT_MAX}");
                return Err(ParameterError::new(field, "given", legal));
            }
        }
        let (first, last) = (counts[0].0 as usize, counts[counts.len() - 1].0 as usize);
        let mut probability = vec![0.0; last - first + 1];
        for (count, p) in counts {
            probability[count as usize - first] = p;
        }
        Ok(CountLaw::Table(Pmf::new(first, probability)))
    }

    pub fn mean(&self) -> f64 {
        match self {
            CountLaw::Poisson { mean } | CountLaw::NegativeBinomial { mean, .. } => *mean,
            CountLaw::Table(pmf) => pmf.mean(),
        }
    }

    pub fn variance(&self) -> f64 {
        match self {
            CountLaw::Poisson { mean } => *mean,
            CountLaw::NegativeBinomial { mean, shape } => mean + mean * mean / shape,
            CountLaw::Table(pmf) => pmf.variance(),
        }
    }

    /// Demand over `periods`, at least 0; a table adds up whole periods only.
    ///
    /// # Errors
    /// A span with more units than [`MEAN_MAX`], or a table over a fraction of periods.
    pub fn over(&self, periods: f64) -> Result<Pmf, ParameterError> {
        between("lead_time", periods, 0.0, 1e9, "a number from 0 to 1e9 periods")?;
        let mean = self.mean() * periods;
        if mean > MEAN_MAX {
            let legal =
                format!("at most {} for these periods; count in a larger unit", MEAN_MAX / periods);
            return Err(ParameterError::new("demand_mean", self.mean(), legal));
        }
        if periods == 0.0 {
            return Ok(Pmf { first: 0, probability: vec![1.0] });
        }
        match self {
            CountLaw::Poisson { .. } => {
                from_ratios(mean.floor(), |k| mean / (k + 1.0), "demand_mean", self.mean())
            }
            CountLaw::NegativeBinomial { mean: of_one, shape } => {
                let r = shape * periods;
                let q = of_one / (of_one + shape);
                let mode = ((r - 1.0) * q / (1.0 - q)).max(0.0).floor();
                let ratio = |k: f64| (r + k) / (k + 1.0) * q;
                from_ratios(mode, ratio, "demand_sd", self.variance().sqrt())
            }
            CountLaw::Table(pmf) => repeated(pmf, periods),
        }
    }
}

fn checked_mean(mean: f64) -> Result<f64, ParameterError> {
    between("demand_mean", mean, 1e-9, MEAN_MAX, "above 0 (1e-9 to 1e7); or count in a larger unit")
}

/// Counts ascending with their probabilities, which are scaled to add up to 1.
pub(super) fn check_pmf(pmf: &[(f64, f64)]) -> Result<Vec<(f64, f64)>, ParameterError> {
    let field = "demand_pmf";
    let mut sum = 0.0;
    for &(value, p) in pmf {
        let field = format!("{field}[\"{value}\"]");
        between(&field, p, 0.0, 1.0, "a probability from 0 to 1")?;
        between(&field, value, 0.0, 1e15, "for a demand from 0 to 1e15")?;
        sum += p;
    }
    between("the sum of demand_pmf", sum, 1.0 - 1e-6, 1.0 + 1e-6, "1, within 1e-6")?;
    let mut counts: Vec<(f64, f64)> = pmf.iter().copied().filter(|(_, p)| *p > 0.0).collect();
    counts.sort_by(|a, b| a.0.total_cmp(&b.0));
    if let Some(twice) = counts.windows(2).find(|two| two[0].0 == two[1].0) {
        let field = format!("{field}[\"{}\"]", twice[0].0);
        return Err(ParameterError::new(field, "there twice", "there once"));
    }
    counts.iter_mut().for_each(|(_, p)| *p /= sum);
    Ok(counts)
}

/// Probabilities from the ratio of each to the one before it, outwards from the likeliest: no
/// factorial, no underflow, and the share of zeros as exact as that of everything else.
fn from_ratios(
    mode: f64,
    ratio: impl Fn(f64) -> f64,
    field: &str,
    value: f64,
) -> Result<Pmf, ParameterError> {
    let mut below = Vec::new();
    let (mut weight, mut k) = (1.0, mode);
    while k > 0.0 {
        weight /= ratio(k - 1.0);
        if weight < RELATIVE_MIN {
            break;
        }
        below.push(weight);
        k -= 1.0;
    }
    let first = mode as usize - below.len();
    below.reverse();
    let mut weights = below;
    weights.push(1.0);
    (weight, k) = (1.0, mode);
    loop {
        weight *= ratio(k);
        if weight < RELATIVE_MIN {
            return Ok(Pmf::new(first, weights));
        }
        if weights.len() == SUPPORT_MAX {
            let legal = format!("small enough that demand stays under {SUPPORT_MAX} units");
            return Err(ParameterError::new(field, value, legal));
        }
        weights.push(weight);
        k += 1.0;
    }
}

fn repeated(pmf: &Pmf, periods: f64) -> Result<Pmf, ParameterError> {
    let whole = "a whole number of periods for demand from a table";
    if periods.fract() != 0.0 {
        return Err(ParameterError::new("lead_time", periods, whole));
    }
    let width = pmf.probability.len() as f64;
    if width * periods > SUPPORT_MAX as f64
        || width * width * periods * periods > CONVOLUTION_MAX
        || periods > 1e6
    {
        let legal = "small enough that demand over it has at most about 30,000 different values";
        return Err(ParameterError::new("lead_time", periods, legal));
    }
    // Squaring: periods = sum of powers of two.
    let (mut left, mut power) = (periods as u64, pmf.clone());
    let mut sum: Option<Pmf> = None;
    while left > 0 {
        if left & 1 == 1 {
            sum = Some(sum.map_or_else(|| power.clone(), |sum| sum.plus(&power)));
        }
        left >>= 1;
        if left > 0 {
            power = power.plus(&power);
        }
    }
    Ok(sum.unwrap_or(Pmf { first: 0, probability: vec![1.0] }))
}

/// `G(y) = h E[(y − D)+] + p E[(D − y)+]` for every whole `y`, exact, and its least point.
#[derive(Clone, Debug)]
pub struct NewsvendorCost {
    holding: f64,
    stockout: f64,
    mean: f64,
    first: i64,
    /// `G(first..=last)`.
    within: Vec<f64>,
    least: i64,
}

impl NewsvendorCost {
    /// `holding` and `stockout` a unit, above 0. The least point is the least count with
    /// `P(D <= y) >= p / (p + h)`.
    pub fn new(demand: &Pmf, holding: f64, stockout: f64) -> NewsvendorCost {
        let mean = demand.mean();
        let first = demand.first() as i64;
        let mut within = Vec::with_capacity(demand.probabilities().len());
        // G(y+1) - G(y) = (h + p) P(D <= y) - p.
        let (mut cost, mut cumulative) = (stockout * (mean - first as f64), 0.0);
        let mut least = None;
        let critical = stockout / (stockout + holding);
        for (k, probability) in demand.probabilities().iter().enumerate() {
            within.push(cost);
            cumulative += probability;
            cost += (holding + stockout) * cumulative - stockout;
            if least.is_none() && cumulative >= critical {
                least = Some(first + k as i64);
            }
        }
        let least = least.unwrap_or(demand.last() as i64);
        NewsvendorCost { holding, stockout, mean, first, within, least }
    }

    pub fn least(&self) -> i64 {
        self.least
    }

    pub fn at(&self, y: i64) -> f64 {
        match usize::try_from(y - self.first) {
            Err(_) => self.stockout * (self.mean - y as f64),
            Ok(k) if k < self.within.len() => self.within[k],
            Ok(_) => self.holding * (y as f64 - self.mean),
        }
    }
}
