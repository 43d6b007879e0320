//! What kind of demand a series has, by Syntetos, Boylan & Croston (2005).

use serde::{Deserialize, Serialize};

/// Fewer observed days than this is a new series.
pub const NEW_DAYS_MAX: usize = 28;
/// So many observed days without a sale at the end is an obsolete series.
const OBSOLETE_DAYS: usize = 180;
const INTERVAL_CUT: f64 = 1.32;
const SIZE_CV2_CUT: f64 = 0.49;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DemandClass {
    Smooth,
    Erratic,
    Intermittent,
    Lumpy,
    New,
    Obsolete,
}

impl DemandClass {
    pub const ALL: [DemandClass; 6] = [
        DemandClass::Smooth,
        DemandClass::Erratic,
        DemandClass::Intermittent,
        DemandClass::Lumpy,
        DemandClass::New,
        DemandClass::Obsolete,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            DemandClass::Smooth => "smooth",
            DemandClass::Erratic => "erratic",
            DemandClass::Intermittent => "intermittent",
            DemandClass::Lumpy => "lumpy",
            DemandClass::New => "new",
            DemandClass::Obsolete => "obsolete",
        }
    }

    /// Of daily demand, NaN where it was not seen whole. The average interval between sales is
    /// observed days over days with a sale; CV² is of the sizes of sales.
    pub fn of(demand: &[f64]) -> DemandClass {
        let observed = || demand.iter().copied().filter(|d| !d.is_nan());
        let days = observed().count();
        let sales = observed().filter(|&d| d > 0.0).count();
        let quiet = observed().rev().take_while(|&d| d <= 0.0).count();
        if days >= NEW_DAYS_MAX && (quiet >= OBSOLETE_DAYS || 4 * quiet >= 3 * days) {
            return DemandClass::Obsolete;
        }
        if days < NEW_DAYS_MAX {
            return DemandClass::New;
        }
        let n = sales as f64;
        let mean = observed().sum::<f64>() / n;
        let variance =
            observed().filter(|&d| d > 0.0).map(|d| (d - mean) * (d - mean)).sum::<f64>() / n;
        let erratic = variance >= SIZE_CV2_CUT * mean * mean;
        match (days as f64 >= INTERVAL_CUT * n, erratic) {
            (false, false) => DemandClass::Smooth,
            (false, true) => DemandClass::Erratic,
            (true, false) => DemandClass::Intermittent,
            (true, true) => DemandClass::Lumpy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: DemandClass, days: usize, demand: impl Fn(usize) -> f64) {
        let demand: Vec<f64> = (0..days).map(demand).collect();
        assert_eq!(DemandClass::of(&demand), want);
    }

    #[test]
    fn classes_follow_interval_and_variation() {
        use DemandClass::*;
        let every = |n: usize, k: usize| k.is_multiple_of(n);
        check(Smooth, 60, |k| if every(7, k) { 14.0 } else { 10.0 });
        check(Erratic, 60, |k| if every(7, k) { 90.0 } else { 10.0 });
        check(Intermittent, 60, |k| if every(3, k) { 5.0 } else { 0.0 });
        check(Lumpy, 60, |k| if every(12, k) { 50.0 } else { f64::from(every(3, k)) });
        check(New, 27, |_| 5.0);
        check(New, 60, |k| if k < 40 { f64::NAN } else { 3.0 });
        check(New, 0, |_| 0.0);
        check(Obsolete, 400, |k| if k < 200 { 4.0 } else { 0.0 });
        check(Obsolete, 40, |k| if k < 5 { 4.0 } else { 0.0 });
        check(Obsolete, 40, |_| 0.0);
    }
}
