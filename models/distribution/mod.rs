//! Demand as a distribution of paths over days.

pub mod count;
pub mod count_fit;
pub mod family;
pub mod luck;
pub mod paths;
pub mod shape;

/// The nine levels that every forecast reports.
pub const LEVELS: [f64; 9] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99];

/// Equally likely futures of one series. A lead-time quantile is a quantile of sums along paths,
/// never a sum of daily quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct DemandPaths {
    pub paths: usize,
    pub horizon: usize,
    /// `values[path * horizon + day]`, whole smallest units held as floats.
    pub values: Vec<f32>,
}

impl DemandPaths {
    pub fn path(&self, path: usize) -> &[f32] {
        &self.values[path * self.horizon..(path + 1) * self.horizon]
    }
}
