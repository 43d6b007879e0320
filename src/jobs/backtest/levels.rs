//! Scores of sums: what the forecasts of all series of a category, a city or the whole table add up
//! to, against what their scored rows add up to.

use granary_models::backtest::analyst::{COVERED, Metrics};
use granary_models::backtest::levels::parts::Part;
use granary_models::forecast::reconcile::hierarchy::Hierarchy;

use super::checkpoint::Shape;
use super::table::LongTable;

pub struct LevelBook {
    hierarchy: Hierarchy,
    shape: Shape,
    /// `forecast[((window * horizon + step) * models + model) * nodes + node]`.
    forecast: Vec<f64>,
    /// `actual[(window * horizon + step) * nodes + node]`, NaN until a row is scored.
    actual: Vec<f64>,
}

impl LevelBook {
    pub fn new(table: &LongTable, shape: Shape) -> LevelBook {
        let category = Part { name: "category".to_owned(), codes: table.category.clone() };
        let statics = table.extras.statics.iter();
        let statics =
            statics.map(|column| Part { name: column.name.clone(), codes: column.codes.to_vec() });
        let parts: Vec<Part> = [category].into_iter().chain(statics).collect();
        let named = parts.iter().map(|part| (part.name.as_str(), part.codes.as_slice()));
        let hierarchy = Hierarchy::new(shape.series, named);
        let cells = shape.windows * shape.horizon * hierarchy.nodes();
        LevelBook {
            forecast: vec![0.0; cells * shape.models],
            actual: vec![f64::NAN; cells],
            hierarchy,
            shape,
        }
    }

    /// A scored row of a series: its actual value, and each model's mean.
    pub fn take(&mut self, series: usize, window: usize, step: usize, y: f64, means: &[f64]) {
        let nodes = self.hierarchy.nodes();
        let day = window * self.shape.horizon + step;
        for level in 0..self.hierarchy.levels().len() {
            let node = self.hierarchy.node(level, series);
            let actual = &mut self.actual[day * nodes + node];
            *actual = if actual.is_nan() { y } else { *actual + y };
            for (model, mean) in means.iter().enumerate() {
                self.forecast[(day * self.shape.models + model) * nodes + node] += mean;
            }
        }
    }

    /// Names of the levels and how many sums they have.
    pub fn levels(&self) -> impl Iterator<Item = (&str, usize)> {
        self.hierarchy.levels().iter().map(|level| (level.name.as_str(), level.nodes))
    }

    /// Scores of a model at a level: a row is a sum on a step. Sums have means only, so what is
    /// scored of quantiles or by series' own scales is not.
    pub fn metrics(&self, level: usize, model: usize, naive: usize) -> Metrics {
        let (rows, actual, absolute, error) = self.sums(level, model);
        let (_, _, naive, _) = self.sums(level, naive);
        let ratio = |part: f64, of: f64| Some(part / of).filter(|ratio| ratio.is_finite());
        Metrics {
            rows,
            unscaled: 0,
            crossings: 0,
            wape: ratio(absolute, actual),
            bias: ratio(error, actual),
            mase: None,
            rmsse: None,
            pinball: None,
            spl: None,
            smape: None,
            fva: ratio(naive - absolute, naive),
            coverage: [None; COVERED.len()],
        }
    }

    /// Sums on a step that have a row, the sum of what came, of absolute errors and of errors.
    fn sums(&self, level: usize, model: usize) -> (u64, f64, f64, f64) {
        let nodes = self.hierarchy.nodes();
        let mut sums = (0, 0.0, 0.0, 0.0);
        for day in 0..self.shape.windows * self.shape.horizon {
            for node in self.hierarchy.nodes_of(level) {
                let actual = self.actual[day * nodes + node];
                if actual.is_nan() {
                    continue;
                }
                let made = self.forecast[(day * self.shape.models + model) * nodes + node];
                sums.0 += 1;
                sums.1 += actual;
                sums.2 += (made - actual).abs();
                sums.3 += made - actual;
            }
        }
        sums
    }
}
