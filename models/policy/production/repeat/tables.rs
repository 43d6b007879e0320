//! What the rest of a season is worth at each later review, by backward induction.

use super::points::{Grid, points};
use super::{Money, Season, Stage};

/// Grid points of stock before a decision, and after it.
const STOCKS: usize = 41;
const STOCKS_AFTER: usize = 81;
/// Grid points of the demand seen so far.
const SEEN: usize = 17;
/// Points of the demand of one interval.
const DEMANDS: usize = 12;
/// Lots that a later decision chooses from, and how many of them are stepped over at first.
const LOTS: usize = 24;
const STRIDE: usize = 4;

/// Expected money and the lot to make, at one review, over (demand seen since tonight, net stock).
#[derive(Clone, Debug)]
pub(super) struct Review {
    pub seen: Grid,
    pub stock: Grid,
    /// `value[seen * stock.len + stock]`.
    value: Vec<f64>,
    lot: Vec<f64>,
}

impl Review {
    /// The money over stock at a demand seen that need not be on the grid.
    pub fn row(&self, seen: f64) -> Vec<f64> {
        let (i, share) = self.seen.place(seen);
        let row = |i: usize| &self.value[i * self.stock.len..(i + 1) * self.stock.len];
        let (below, above) = (row(i), row((i + 1).min(self.seen.len - 1)));
        below.iter().zip(above).map(|(a, b)| a + share * (b - a)).collect()
    }

    pub fn lot(&self, seen: usize, stock: usize) -> f64 {
        self.lot[seen * self.stock.len + stock]
    }
}

/// The reviews after tonight's, and the end of the season behind them.
pub(super) struct Tables {
    pub reviews: Vec<Review>,
    end: Review,
}

impl Tables {
    /// The table at the k-th review after tonight, counted from 0.
    pub fn after(&self, k: usize) -> &Review {
        self.reviews.get(k).unwrap_or(&self.end)
    }
}

/// Solves every review after tonight's; without `runs` nothing more is made.
pub(super) fn solve(season: &Season, runs: bool) -> Tables {
    let stock = Grid::over(season.stock_low, season.stock_high, STOCKS);
    // Selling at once or paying back is all that is left.
    let ends: Vec<f64> = (0..stock.len).map(|i| season.money.at_end(stock.at(i))).collect();
    let end = Review {
        seen: Grid { low: 0.0, step: 1.0, per_step: 1.0, len: 2 },
        stock,
        value: [ends.clone(), ends].concat(),
        lot: vec![0.0; 2 * stock.len],
    };
    let mut tables = Tables { reviews: Vec::new(), end };
    let mut later: Vec<Review> = Vec::new();
    for stage in season.stages[1..].iter().rev() {
        let next = later.last().unwrap_or(&tables.end);
        let review = review(season, stage, stock, next, runs);
        later.push(review);
    }
    later.reverse();
    tables.reviews = later;
    tables
}

fn review(season: &Season, stage: &Stage, stock: Grid, next: &Review, runs: bool) -> Review {
    let seen = Grid::over(0.0, stage.seen_high, SEEN);
    let after = arrivals(season, stage, next);
    let len = seen.len * stock.len;
    let mut review = Review { seen, stock, value: vec![0.0; len], lot: vec![0.0; len] };
    for n in 0..seen.len {
        let demands = season.demand(seen.at(n), stage.before, DEMANDS);
        let rows: Vec<Vec<f64>> =
            demands.iter().map(|&(demand, _)| after.row(seen.at(n) + demand)).collect();
        for i in 0..stock.len {
            let (value, lot) = decide(season, stage, stock.at(i), &demands, (&after, &rows), runs);
            review.value[n * stock.len + i] = value;
            review.lot[n * stock.len + i] = lot;
        }
    }
    review
}

/// The best lot at one review and one stock, and what it is worth.
fn decide(
    season: &Season,
    stage: &Stage,
    stock: f64,
    demands: &[(f64, f64)],
    (after, rows): (&Review, &[Vec<f64>]),
    runs: bool,
) -> (f64, f64) {
    let mut earned = 0.0;
    let left: Vec<f64> = demands
        .iter()
        .map(|&(demand, p)| {
            let (left, money) = season.money.interval(stock, demand, stage.before.days);
            earned += p * money;
            left
        })
        .collect();
    let value = |lot: f64| {
        let later: f64 = demands
            .iter()
            .zip(left.iter().zip(rows))
            .map(|(&(_, p), (left, row))| p * after.stock.read(row, left + lot))
            .sum();
        earned + later - season.money.of_run(lot)
    };
    let mut best = (value(0.0), 0.0);
    if !runs {
        return best;
    }
    let lots: Vec<f64> = season.lots_up_to(season.stock_high - stock, LOTS).collect();
    let mut consider = |at: usize, best_at: &mut Option<usize>| {
        let worth = value(lots[at]);
        if worth > best.0 {
            (best, *best_at) = ((worth, lots[at]), Some(at));
        }
    };
    // Beyond its set-up a run is worth a concave function of its lot: first every few, then around
    // the best of those.
    let mut best_at = None;
    (0..lots.len()).step_by(STRIDE).for_each(|at| consider(at, &mut best_at));
    let around = best_at.unwrap_or(0);
    for at in around.saturating_sub(STRIDE - 1)..(around + STRIDE).min(lots.len()) {
        if at != around {
            consider(at, &mut best_at);
        }
    }
    best
}

/// What the season is worth when a run has arrived, over (demand seen, net stock with the run).
fn arrivals(season: &Season, stage: &Stage, next: &Review) -> Review {
    let seen = Grid::over(0.0, stage.seen_high, SEEN);
    let stock = Grid::over(season.stock_low, season.stock_high, STOCKS_AFTER);
    let mut value = Vec::with_capacity(seen.len * stock.len);
    for n in 0..seen.len {
        let demands = season.demand(seen.at(n), stage.after, DEMANDS);
        let rows: Vec<Vec<f64>> =
            demands.iter().map(|&(demand, _)| next.row(seen.at(n) + demand)).collect();
        for i in 0..stock.len {
            let worth: f64 = demands
                .iter()
                .zip(&rows)
                .map(|(&(demand, p), row)| {
                    let (left, money) =
                        season.money.interval(stock.at(i), demand, stage.after.days);
                    p * (money + next.stock.read(row, left))
                })
                .sum();
            value.push(worth);
        }
    }
    Review { seen, stock, value, lot: Vec::new() }
}

impl Season {
    /// Points of the demand of an interval when `seen` units came since tonight.
    pub(super) fn demand(
        &self,
        seen: f64,
        interval: super::Interval,
        count: usize,
    ) -> Vec<(f64, f64)> {
        let size = self.size + seen;
        points(size, size * interval.exposure / interval.rate, count)
    }

    /// Lots above 0 up to the first that reaches `most`, at even distances, at most `count`.
    pub(super) fn lots_up_to(&self, most: f64, count: usize) -> impl Iterator<Item = f64> + use<> {
        let (first, multiple) = (self.lot_first as f64, self.lot_multiple as f64);
        let most = self.lot_most.map_or(most.max(first), |cap| most.max(first).min(cap as f64));
        let lots = ((most - first) / multiple).floor().max(-1.0) as i64 + 1;
        let apart = (lots / count as i64 + 1) as f64 * multiple;
        (0..).map(move |i| first + i as f64 * apart).take_while(move |&lot| lot <= most)
    }
}

impl Money {
    /// Net stock after an interval's demand, and what was earned in it. Who finds no stock waits
    /// with `wait_share`; what is owed has been paid, and is paid back at the end if still owed.
    pub(super) fn interval(&self, stock: f64, demand: f64, days: f64) -> (f64, f64) {
        let served = demand.min(stock.max(0.0));
        let taken = served + self.wait_share * (demand - served);
        let left = stock - taken;
        let kept = |stock: f64| {
            if stock >= 0.0 { self.holding * stock } else { -self.waiting * stock }
        };
        (left, self.revenue * taken - 0.5 * days * (kept(stock) + kept(left)))
    }

    pub(super) fn of_run(&self, lot: f64) -> f64 {
        if lot > 0.0 { self.setup + self.cost * lot } else { 0.0 }
    }

    pub(super) fn at_end(&self, stock: f64) -> f64 {
        if stock >= 0.0 { self.salvage * stock } else { self.revenue * stock }
    }
}
