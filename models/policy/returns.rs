//! Goods that come back: an inflow of its own, not less demand. Netting them from demand would get
//! the mean right and the spread wrong, as a path that sells more also gets more back, later.

use statrs::distribution::{ContinuousCDF, Normal};

/// Beyond this variance a binomial is as good as normal.
const NORMAL_VARIANCE: f64 = 50.0;

/// The `u` quantile of how many of `sold` units come back, each with probability `share`
/// independently (binomial); `u` in (0, 1).
pub fn thinned(sold: f64, share: f64, u: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    if sold <= 0.0 || share <= 0.0 {
        return 0.0;
    }
    if share >= 1.0 {
        return sold;
    }
    let variance = sold * share * (1.0 - share);
    if variance > NORMAL_VARIANCE {
        let z = Normal::standard().inverse_cdf(u);
        return (sold * share + z * variance.sqrt()).round().clamp(0.0, sold);
    }
    let odds = share / (1.0 - share);
    let (mut count, mut mass) = (0.0, (1.0 - share).powf(sold));
    let mut within = mass;
    while within < u && count < sold {
        mass *= odds * (sold - count) / (count + 1.0);
        count += 1.0;
        within += mass;
    }
    count
}
