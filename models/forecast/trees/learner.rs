//! One learner for all series: trees grown on the days of a panel, asked for days to come.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bins::{BinEdges, TrainingRows};
use super::board::Board;
use super::booster::{BoostConfig, Booster};
use super::objective::Objective;
use crate::calendar::Day;
use crate::distribution::paths::{mix, unit};
use crate::forecast::model::SEASON_DAYS;

/// Days of history before an origin that is forecast from.
pub const ORIGIN_DAYS_MIN: usize = 14;
/// Days before an origin that is learned from, where that is not more than a third of what there is.
const LESSON_DAYS: usize = 28;
/// Steps ahead that rows are made for; what lies beyond is forecast as the last of them.
const STEPS_MAX: usize = 28;
/// Fewer days than this teach trees nothing that a regression does not know.
const DAYS_MIN: usize = 10_000;
/// Likewise, fewer series than this.
const SERIES_MIN: usize = 50;
/// A day of a small panel teaches from up to so many steps before it: more would only repeat it.
const STEPS_OF_DAY_MAX: usize = 3;
/// Rows on which bins are cut.
const EDGE_ROWS: usize = 100_000;
/// Series whose rows are made by one task.
const SERIES_PER_TASK: usize = 128;
/// Features that took away less of the loss than this share in a trial are not worth their time.
const GAIN_MIN: f64 = 0.002;
/// A correction beyond this factor is no forecast.
const LOG_SCORE_MAX: f32 = 3.0;

/// How much is learned from, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreesConfig {
    /// Rows at the most; beyond, a sample of them.
    pub rows_max: usize,
    pub boost: BoostConfig,
}

impl Default for TreesConfig {
    fn default() -> TreesConfig {
        TreesConfig {
            rows_max: 1_500_000,
            boost: BoostConfig {
                objective: Objective::Tweedie { power: 1.3 },
                rounds: 160,
                learning_rate: 0.08,
                leaves: 64,
                min_leaf_rows: 150.0,
                feature_share: 0.4,
                ..BoostConfig::default()
            },
        }
    }
}

/// Trees that were grown on a panel, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TreesLearner {
    booster: Booster,
    /// Features that it looks at, in their order.
    pub features: Vec<String>,
    /// Mean demand of a day of a series, which its scores are relative to.
    scale: f64,
    /// First and last day that taught it.
    pub learned_from: Day,
    pub learned_to: Day,
    pub rows: usize,
}

/// One row to be learned from.
#[derive(Clone, Copy)]
struct Lesson {
    series: u32,
    origin: u32,
    day: u32,
}

impl TreesLearner {
    /// Learns from the days before `ends[i]` of every series that were seen whole, each as if it had
    /// been forecast from one to `horizon` steps before it; `keys` pick how many. Looks at the
    /// features that `before` found worth their time, or at all. `None` when there are too few days.
    pub fn learn(
        board: &Board,
        ends: &[usize],
        keys: &[u64],
        horizon: usize,
        config: &TreesConfig,
        before: Option<&TreesLearner>,
    ) -> Option<TreesLearner> {
        let lessons = lessons(board, ends, keys, horizon, config.rows_max);
        let series = lessons.chunk_by(|a, b| a.series == b.series).count();
        if lessons.is_empty() || series < SERIES_MIN {
            return None;
        }
        let features = before.map_or_else(|| board.names(), TreesLearner::worthy);
        let lessons_of = Lessons { board, columns: columns(board, &features)? };
        let edges = lessons_of.edges(&lessons);
        let mut rows = TrainingRows::new(features.len());
        rows.reserve(lessons.len());
        let tasks: Vec<&[Lesson]> = chunks_of_series(&lessons);
        // A bounded number of blocks at a time, so that features are never all in memory at once.
        for tasks in tasks.chunks(64) {
            let blocks: Vec<TrainingRows> =
                tasks.par_iter().map(|lessons| lessons_of.rows(&edges, lessons)).collect();
            blocks.into_iter().for_each(|block| rows.append(block));
        }
        let date = |lesson: &Lesson| board.date(lesson.series as usize, lesson.day as usize);
        let learned_from = lessons.iter().map(date).min()?;
        let learned_to = lessons.iter().map(date).max()?;
        let taught = lessons.len();
        drop(lessons);
        let booster = Booster::fit(edges, &rows, &config.boost).ok()?;
        let scale = board.scale;
        Some(TreesLearner { booster, features, scale, learned_from, learned_to, rows: taught })
    }

    /// Whether the trees know what the features of `board` mean.
    pub fn knows(&self, board: &Board) -> bool {
        columns(board, &self.features).is_some()
    }

    /// Mean demand of the days from each origin on, `steps` of them per origin, one vector a series;
    /// empty where a series is too young at its first origin.
    pub fn forecast(&self, board: &Board, origins: &[Vec<usize>], steps: usize) -> Vec<Vec<f32>> {
        let Some(columns) = columns(board, &self.features) else {
            return vec![Vec::new(); origins.len()];
        };
        let of = Lessons { board, columns };
        let blocks: Vec<Vec<Vec<f32>>> = (0..origins.len())
            .collect::<Vec<usize>>()
            .par_chunks(SERIES_PER_TASK)
            .map(|series| self.forecast_block(&of, origins, series, steps))
            .collect();
        blocks.into_iter().flatten().collect()
    }

    fn forecast_block(
        &self,
        lessons: &Lessons,
        origins: &[Vec<usize>],
        series: &[usize],
        steps: usize,
    ) -> Vec<Vec<f32>> {
        let board = lessons.board;
        let asked = steps.min(STEPS_MAX);
        let (mut row, mut binned) = (Vec::new(), vec![0; self.features.len()]);
        let mut bins = Vec::new();
        let old = |i: usize| origins[i].first().is_some_and(|&first| first >= ORIGIN_DAYS_MIN);
        for &i in series.iter().filter(|&&i| old(i)) {
            let of = board.series(i);
            for &origin in &origins[i] {
                for t in origin..origin + asked {
                    of.row(origin, t, &mut row);
                    lessons.pick(&mut row);
                    self.booster.edges().bin_row(&row, &mut binned);
                    bins.extend_from_slice(&binned);
                }
            }
        }
        let mut scores = vec![0.0; bins.len() / self.features.len()];
        self.booster.scores(&bins, &mut scores);
        let shift = (self.scale / board.scale).ln() as f32;
        let mut of_origins = scores.chunks_exact(asked.max(1));
        let mut one = |i: usize| -> Vec<f32> {
            let mut means = Vec::with_capacity(origins[i].len() * steps);
            for &origin in &origins[i] {
                let scores = of_origins.next().unwrap_or_default();
                means.extend((0..steps).map(|step| {
                    let score = scores[step_asked(step, asked)] + shift;
                    let factor = f64::from(score.clamp(-LOG_SCORE_MAX, LOG_SCORE_MAX)).exp();
                    (board.base(i, origin, origin + step) * factor) as f32
                }));
            }
            means
        };
        series.iter().map(|&i| if old(i) { one(i) } else { Vec::new() }).collect()
    }

    /// Names of the features that are worth their time.
    fn worthy(&self) -> Vec<String> {
        let importance = self.importance();
        let worthy = |name: &str| importance.iter().any(|(n, gain)| n == name && *gain >= GAIN_MIN);
        self.features.iter().filter(|name| worthy(name)).cloned().collect()
    }

    /// Features by the share of the loss that splits on them took away, the most first.
    pub fn importance(&self) -> Vec<(String, f64)> {
        let gain = self.booster.gain();
        let total = gain.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let named = self.features.iter().cloned().zip(gain.iter().map(|gain| gain / total));
        let mut named: Vec<(String, f64)> = named.collect();
        named.sort_by(|a, b| b.1.total_cmp(&a.1));
        named
    }
}

/// Steps beyond the last that was asked for take the correction of their weekday in its last week.
fn step_asked(step: usize, asked: usize) -> usize {
    if step < asked {
        return step;
    }
    let week = SEASON_DAYS.min(asked);
    asked - week + (step - asked) % week
}

/// Days to learn from, by series and day: all, each from one step or several before it, or a sample
/// that depends on the keys only. None when there are too few.
fn lessons(
    board: &Board,
    ends: &[usize],
    keys: &[u64],
    horizon: usize,
    rows_max: usize,
) -> Vec<Lesson> {
    let steps = horizon.clamp(1, STEPS_MAX);
    let usable = |i: usize| {
        let life = &board.lives[i];
        let first = LESSON_DAYS.min(ends[i] / 3).max(ORIGIN_DAYS_MIN);
        (first..ends[i].min(life.days())).filter(|&day| life.whole[day])
    };
    let all: usize = (0..ends.len()).into_par_iter().map(|i| usable(i).count()).sum();
    if all < DAYS_MIN {
        return Vec::new();
    }
    let share = rows_max as f64 / all as f64;
    let times = (share as usize).clamp(1, STEPS_OF_DAY_MAX);
    let mut lessons = Vec::with_capacity((times * all).min(rows_max + rows_max / 8));
    for (i, &key) in keys.iter().enumerate() {
        for day in usable(i) {
            let luck = mix(key ^ mix(day as u64));
            if unit(luck) >= share {
                continue;
            }
            let furthest = steps.min(day + 1 - ORIGIN_DAYS_MIN);
            let first = (mix(luck ^ 1) % furthest as u64) as usize;
            lessons.extend((0..times.min(furthest)).map(|k| {
                let step = (first + k * furthest / times) % furthest;
                Lesson { series: i as u32, origin: (day - step) as u32, day: day as u32 }
            }));
        }
    }
    lessons
}

/// Pieces of about equal length that do not cut a series.
fn chunks_of_series(lessons: &[Lesson]) -> Vec<&[Lesson]> {
    let mut chunks = Vec::new();
    let mut rest = lessons;
    while !rest.is_empty() {
        let mut end = rest.len().min(4096);
        while end < rest.len() && rest[end].series == rest[end - 1].series {
            end += 1;
        }
        let (chunk, after) = rest.split_at(end);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Where the features are in a board's rows; `None` when it lacks one.
fn columns(board: &Board, features: &[String]) -> Option<Vec<usize>> {
    let names = board.names();
    features.iter().map(|feature| names.iter().position(|name| name == feature)).collect()
}

/// Makes rows of the features that are looked at, in ascending order of their place.
struct Lessons<'a> {
    board: &'a Board<'a>,
    columns: Vec<usize>,
}

impl Lessons<'_> {
    /// Leaves only what is looked at.
    fn pick(&self, row: &mut Vec<f32>) {
        for (to, &from) in self.columns.iter().enumerate() {
            row[to] = row[from];
        }
        row.truncate(self.columns.len());
    }

    /// Cuts bins on every n-th row.
    fn edges(&self, lessons: &[Lesson]) -> BinEdges {
        let columns = self.columns.len();
        let stride = lessons.len().div_ceil(EDGE_ROWS).max(1);
        let sample: Vec<Lesson> = lessons.iter().copied().step_by(stride).collect();
        let blocks: Vec<Vec<f32>> = chunks_of_series(&sample)
            .into_par_iter()
            .map(|lessons| {
                let mut values = Vec::with_capacity(lessons.len() * columns);
                self.each(lessons, |_, row| values.extend_from_slice(row));
                values
            })
            .collect();
        BinEdges::learn(&blocks.concat(), columns)
    }

    fn rows(&self, edges: &BinEdges, lessons: &[Lesson]) -> TrainingRows {
        let board = self.board;
        let mut rows = TrainingRows::new(edges.columns());
        rows.reserve(lessons.len());
        let mut bins = vec![0; edges.columns()];
        self.each(lessons, |lesson, row| {
            edges.bin_row(row, &mut bins);
            let (series, day) = (lesson.series as usize, lesson.day as usize);
            let demand = f64::from(board.lives[series].demand[day]) / board.scale;
            let base = board.base(series, lesson.origin as usize, day) / board.scale;
            rows.push(&bins, demand as f32, 1.0, base.ln() as f32);
        });
        rows
    }

    fn each(&self, lessons: &[Lesson], mut each: impl FnMut(&Lesson, &[f32])) {
        let mut row = Vec::new();
        for lessons in lessons.chunk_by(|a, b| a.series == b.series) {
            let of = self.board.series(lessons[0].series as usize);
            for lesson in lessons {
                of.row(lesson.origin as usize, lesson.day as usize, &mut row);
                self.pick(&mut row);
                each(lesson, &row);
            }
        }
    }
}
