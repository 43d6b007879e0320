//! The score book: tallies of every model over everything, and by class, horizon, cutoff, series.

use granary_models::backtest::analyst::{Metrics, Scale, Sums, Tally};
use granary_models::backtest::panel::Wanted;
use granary_models::forecast::demand_class::DemandClass;
use granary_models::forecast::model::Model;

use super::checkpoint::{Block, Shape, VALUES};
use super::levels::LevelBook;
use super::table::LongTable;
use super::windows::Plan;

/// Series of the first model that are drawn.
const WORST: usize = 9;

/// Tallies of the models over one set of rows.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Series with a row in it.
    pub series: u64,
    pub models: Vec<Tally>,
}

impl Group {
    fn new(models: usize) -> Group {
        Group { series: 0, models: vec![Tally::default(); models] }
    }
}

/// A series that is drawn: the first model's forecasts after every cutoff.
#[derive(Clone, Debug)]
pub struct Worst {
    pub series: usize,
    pub absolute: f64,
    /// Per cutoff the rows of the first model.
    pub forecasts: Vec<Vec<[f64; VALUES]>>,
}

pub struct ScoreBook {
    pub all: Group,
    /// In the order of `DemandClass::ALL`.
    pub class: Vec<Group>,
    /// From the first step on.
    pub horizon: Vec<Group>,
    pub cutoff: Vec<Group>,
    /// `series[i * models + model]`.
    pub series: Vec<Tally>,
    /// Largest absolute error first.
    pub worst: Vec<Worst>,
    pub levels: LevelBook,
    /// Place of the seasonal naive among the models.
    naive: usize,
}

impl ScoreBook {
    pub fn new(table: &LongTable, plan: &Plan, shape: Shape) -> ScoreBook {
        let naive = Wanted::Model(Model::SeasonalNaive);
        let group = || Group::new(shape.models);
        ScoreBook {
            all: group(),
            class: DemandClass::ALL.iter().map(|_| group()).collect(),
            horizon: (0..shape.horizon).map(|_| group()).collect(),
            cutoff: plan.cutoffs.iter().map(|_| group()).collect(),
            series: Vec::with_capacity(shape.series * shape.models),
            worst: Vec::new(),
            levels: LevelBook::new(table, shape),
            naive: plan.wanted.iter().position(|wanted| *wanted == naive).unwrap_or(0),
        }
    }

    pub fn metrics(&self, group: &Group, model: usize) -> Metrics {
        group.models[model].metrics(&group.models[self.naive])
    }

    pub fn series_metrics(&self, models: usize, series: usize, model: usize) -> Metrics {
        let of = &self.series[series * models..(series + 1) * models];
        of[model].metrics(&of[self.naive])
    }

    /// Of the sums of a level, by its place among [`LevelBook::levels`].
    pub fn level_metrics(&self, level: usize, model: usize) -> Metrics {
        self.levels.metrics(level, model, self.naive)
    }

    /// Models from the least WAPE to the greatest; those without one last.
    pub fn leader_board(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.models.len()).collect();
        let rank = |model: usize| {
            let metrics = self.metrics(&self.all, model);
            let last = f64::INFINITY;
            (metrics.wape.unwrap_or(last), metrics.pinball.unwrap_or(last))
        };
        order.sort_by(|&a, &b| {
            let (a, b) = (rank(a), rank(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        order
    }

    /// Takes all forecasts of one series; series come in their order. `blocks` has one per cutoff,
    /// `at` is the series' place in them.
    pub fn take(
        &mut self,
        table: &LongTable,
        plan: &Plan,
        shape: Shape,
        series: usize,
        blocks: &[Block],
        at: usize,
    ) {
        let of_series = self.series.len();
        self.series.resize(of_series + shape.models, Tally::default());
        let mut classes = [false; DemandClass::ALL.len()];
        let mut steps = vec![false; shape.horizon];
        for (window, (&cutoff, block)) in plan.cutoffs.iter().zip(blocks).enumerate() {
            let class = usize::from(block.class[at]);
            let actual: Vec<f64> = (1..=shape.horizon as i64)
                .map(|step| match table.row_of(series, cutoff + step) {
                    Some(row) if table.is_scored(row) => table.y[row],
                    _ => f64::NAN,
                })
                .collect();
            if actual.iter().all(|y| y.is_nan()) {
                continue;
            }
            classes[class] = true;
            self.cutoff[window].series += 1;
            steps.iter_mut().zip(&actual).for_each(|(seen, y)| *seen |= !y.is_nan());
            let scale = Scale::of(&table.y[table.rows_until(series, cutoff)], plan.score_season());
            for (step, &y) in actual.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
                let mean =
                    |model| block.values[0][at * shape.block() + model * shape.horizon + step];
                let means: Vec<f64> = (0..shape.models).map(mean).collect();
                self.levels.take(series, window, step, y, &means);
            }
            for model in 0..shape.models {
                let mut cell = Sums::default();
                for (step, &y) in actual.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
                    let row = row(block, at * shape.block() + model * shape.horizon + step);
                    let nine = std::array::from_fn(|level| row[level + 1]);
                    let mut one = Sums::default();
                    one.add(row[0], &nine, y);
                    self.horizon[step].models[model].add(&one, &scale);
                    cell.merge(&one);
                }
                self.all.models[model].add(&cell, &scale);
                self.class[class].models[model].add(&cell, &scale);
                self.cutoff[window].models[model].add(&cell, &scale);
                self.series[of_series + model].add(&cell, &scale);
            }
        }
        self.all.series += u64::from(classes.contains(&true));
        self.class.iter_mut().zip(classes).for_each(|(of, seen)| of.series += u64::from(seen));
        self.horizon.iter_mut().zip(steps).for_each(|(of, seen)| of.series += u64::from(seen));
        self.keep_worst(shape, series, blocks, at);
    }

    fn keep_worst(&mut self, shape: Shape, series: usize, blocks: &[Block], at: usize) {
        let absolute = self.series[series * shape.models].sums.absolute;
        let full = self.worst.len() == WORST;
        if absolute <= 0.0 || (full && self.worst.last().is_some_and(|w| w.absolute >= absolute)) {
            return;
        }
        let forecasts = blocks
            .iter()
            .map(|block| {
                let from = at * shape.block();
                (from..from + shape.horizon).map(|at| row(block, at)).collect()
            })
            .collect();
        let place = self.worst.partition_point(|worst| worst.absolute >= absolute);
        self.worst.insert(place, Worst { series, absolute, forecasts });
        self.worst.truncate(WORST);
    }
}

fn row(block: &Block, at: usize) -> [f64; VALUES] {
    std::array::from_fn(|column| block.values[column][at])
}
