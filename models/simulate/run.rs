//! The replay: reviews and periods, all policies side by side on the same demand.

use rayon::prelude::*;

use crate::backtest::panel::ForecastConfig;
use crate::calendar::Day;
use crate::distribution::paths::PathPlan;
use crate::forecast::sku_forecast::SkuForecast;
use crate::policy::rounding::{Lot, round};
use crate::simulate::item::{Item, Knowledge, PartialDemand, Rules, SimulateError, Start, World};
use crate::simulate::known::{KnownPanel, Seen, Truth};
use crate::simulate::outlook::Forecaster;
use crate::simulate::policy::seasonal_naive_cover::seasonal_naive;
use crate::simulate::policy::{Policy, Scratch, Situation};
use crate::simulate::stock::{Period, Stock};
use crate::simulate::totals::Units;

/// A period that ended without stock was open for nobody knows how long.
const SOLD_OUT_SHARE: f32 = 0.5;
/// Reviews beyond the protection interval that forecasts reach.
const REVIEWS_BEYOND: usize = 2;
/// Periods beyond it at most, however long goods keep.
const SHELF_PERIODS_MAX: usize = 30;

/// The books of every policy, series and period.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    pub series: usize,
    pub periods: usize,
    /// `books[policy][series * periods + period]`. `ordered` is what was ordered at the end of the
    /// period before.
    pub books: Vec<Vec<Period>>,
    /// `scored[series * periods + period]`: past the warm-up, and there is a record of demand.
    pub scored: Vec<bool>,
    /// Units on hand and on order after the last period, `left[policy][series]`.
    pub left: Vec<Vec<(i64, i64)>>,
    /// How often models were chosen and fitted anew.
    pub refits: usize,
}

impl Simulation {
    pub fn book(&self, policy: usize, series: usize) -> &[Period] {
        &self.books[policy][series * self.periods..(series + 1) * self.periods]
    }

    pub fn scored(&self, series: usize) -> &[bool] {
        &self.scored[series * self.periods..(series + 1) * self.periods]
    }

    /// Sums of a series' scored periods.
    pub fn units(&self, policy: usize, series: usize) -> Units {
        let mut units = Units::default();
        let rows = self.book(policy, series).iter().zip(self.scored(series));
        rows.filter(|(_, scored)| **scored).for_each(|(period, _)| units.add(period));
        units
    }
}

/// One series under all policies.
struct Lane {
    truth: Truth,
    /// Of the panel, up to the last review.
    recorded: Seen,
    stocks: Vec<Stock>,
    books: Vec<Vec<Period>>,
    /// Of each policy's own sales, when they are what it knows.
    own: Vec<Seen>,
    ordered: Vec<i64>,
}

struct Game<'a> {
    world: &'a World<'a>,
    rules: &'a Rules,
    policies: &'a [Policy],
    plan: PathPlan,
    season: usize,
}

/// Replays every policy over the last `rules.periods` periods of the world; `on_review` hears the
/// number of periods that are done. The same input gives the same books whatever the number of
/// threads.
///
/// # Errors
/// Rules or terms out of range, a world whose parts do not fit together, and books that do not
/// balance, which would be a fault of this program.
pub fn simulate(
    world: &World,
    rules: &Rules,
    policies: &[Policy],
    on_review: &(dyn Fn(usize) + Sync),
) -> Result<Simulation, SimulateError> {
    rules.check()?;
    world.items.iter().enumerate().try_for_each(|(i, item)| item.check(i))?;
    let horizon = horizon_periods(world.items, rules);
    let season = rules.forecast.seasons.iter().copied().max().unwrap_or(1);
    let paths = if policies.iter().any(Policy::forecasts) { rules.paths } else { 1 };
    let plan = PathPlan::new(paths, horizon, rules.seed);
    let game = Game { world, rules, policies, plan, season };
    let config = ForecastConfig { horizon_days: horizon, ..rules.forecast.clone() };
    let forecaster = || Forecaster::new(config.clone(), rules.refit_every_reviews);
    let views = if rules.knowledge == Knowledge::Recorded { 1 } else { policies.len() };
    let mut forecasters: Vec<Forecaster> = (0..views).map(|_| forecaster()).collect();
    let mut lanes: Vec<Lane> =
        (0..world.panel.len()).into_par_iter().map(|series| game.lane(series)).collect();
    for period in 0..rules.periods {
        if period % rules.review_every_periods == 0 {
            on_review(period);
            let outlooks = game.outlooks(&lanes, horizon, &mut forecasters)?;
            let each = lanes.par_iter_mut().enumerate();
            each.for_each_init(Scratch::default, |scratch, (series, lane)| {
                game.review(series, lane, period, &outlooks, scratch);
            });
        }
        lanes
            .par_iter_mut()
            .enumerate()
            .try_for_each(|(series, lane)| game.period(series, lane, period))?;
    }
    let refits = forecasters.iter().map(|forecaster| forecaster.refits).sum();
    Ok(gathered(&game, lanes, refits))
}

/// To the arrival of the next order, and a little beyond for what an order is worth after it.
pub fn horizon_periods(items: &[Item], rules: &Rules) -> usize {
    let review = rules.review_every_periods;
    let of = |item: &Item| {
        let keeps = item.shelf_life_periods.unwrap_or(0) as usize;
        let beyond = (REVIEWS_BEYOND * review).max(keeps.min(SHELF_PERIODS_MAX));
        item.lead_periods + review - 1 + beyond
    };
    items.iter().map(of).max().unwrap_or(1)
}

impl Game<'_> {
    fn lane(&self, series: usize) -> Lane {
        let (world, rules, item) = (self.world, self.rules, &self.world.items[series]);
        let truth = Truth::of(world, rules, series);
        let recorded = Seen::recorded(world, rules, series, rules.first);
        let stock = match &item.start {
            Start::Given { on_hand, due } => Stock::new(*on_hand, due, item),
            Start::Cover(periods) => {
                let cover = periods.unwrap_or(item.lead_periods + rules.review_every_periods);
                let coming = seasonal_naive(&recorded.as_demand(), self.season, cover);
                Stock::new(coming.iter().sum::<f64>().round() as i64, &[], item)
            }
        };
        let own_sales = rules.knowledge == Knowledge::OwnSales;
        let policies = self.policies.len();
        Lane {
            truth,
            own: if own_sales { vec![recorded.clone(); policies] } else { Vec::new() },
            recorded,
            stocks: vec![stock; policies],
            books: vec![Vec::with_capacity(rules.periods); policies],
            ordered: vec![0; policies],
        }
    }

    /// One per kind of knowledge: the forecasts of every series, empty where no policy wants them.
    fn outlooks(
        &self,
        lanes: &[Lane],
        horizon: usize,
        forecasters: &mut [Forecaster],
    ) -> Result<Vec<Vec<Option<SkuForecast>>>, SimulateError> {
        let own_sales = self.rules.knowledge == Knowledge::OwnSales;
        let mut outlooks = Vec::with_capacity(forecasters.len());
        for (view, forecaster) in forecasters.iter_mut().enumerate() {
            let wanted = match own_sales {
                true => self.policies[view].forecasts(),
                false => self.policies.iter().any(Policy::forecasts),
            };
            if !wanted {
                outlooks.push(Vec::new());
                continue;
            }
            let seen = |lane| Game::seen(lane, own_sales.then_some(view));
            let known = KnownPanel::new(self.world, horizon, lanes.iter().map(seen));
            outlooks.push(forecaster.review(self.world, &known)?);
        }
        Ok(outlooks)
    }

    fn seen(lane: &Lane, own: Option<usize>) -> &Seen {
        own.map_or(&lane.recorded, |policy| &lane.own[policy])
    }

    /// Orders of every policy before period `period` opens.
    fn review(
        &self,
        series: usize,
        lane: &mut Lane,
        period: usize,
        outlooks: &[Vec<Option<SkuForecast>>],
        scratch: &mut Scratch,
    ) {
        let item = &self.world.items[series];
        let own_sales = self.rules.knowledge == Knowledge::OwnSales;
        let mut demand_seen = Vec::new();
        for (at, policy) in self.policies.iter().enumerate() {
            if at == 0 || own_sales {
                demand_seen = Game::seen(lane, own_sales.then_some(at)).as_demand();
            }
            let outlook = &outlooks[if own_sales { at } else { 0 }];
            let situation = Situation {
                item,
                rules: self.rules,
                season: self.season,
                history: &demand_seen,
                stock: &lane.stocks[at],
                forecast: outlook.get(series).and_then(Option::as_ref),
                plan: &self.plan,
                period,
            };
            let asked = policy.ask(&situation, &lane.truth.demand[period..], scratch);
            let lot = Lot { moq: item.moq, multiple: item.multiple, capacity: None };
            let qty = if policy.rounds() { round(asked, lot).qty } else { asked.max(0) };
            lane.stocks[at].order(qty, item.lead_periods);
            lane.ordered[at] = qty;
        }
    }

    fn period(&self, series: usize, lane: &mut Lane, period: usize) -> Result<(), SimulateError> {
        let (world, rules, item) = (self.world, self.rules, &self.world.items[series]);
        let demand = lane.truth.demand[period];
        let exists = rules.first + period as i32 >= world.panel.start[series];
        for (at, policy) in self.policies.iter().enumerate() {
            let mut books = lane.stocks[at].period(demand, item, rules.shortage, rules.issue);
            books.ordered = std::mem::take(&mut lane.ordered[at]);
            if !books.balances() {
                return Err(SimulateError::Books { policy: policy.name.clone(), series, period });
            }
            lane.books[at].push(books);
            if let Some(own) = lane.own.get_mut(at).filter(|_| exists) {
                let there = books.opening.max(0) + books.received > 0;
                let share = match (lane.truth.known[period] && there, books.closing > 0) {
                    (false, _) => 0.0,
                    (true, true) => 1.0,
                    (true, false) => SOLD_OUT_SHARE,
                };
                own.push((books.demand - books.lost) as f64, share);
            }
        }
        let end = rules.first + period as i32 + 1;
        self.reveal(series, lane, end);
        Ok(())
    }

    /// The panel's record of the period that has just ended.
    fn reveal(&self, series: usize, lane: &mut Lane, end: Day) {
        let whole = self.world.panel.series(series);
        if end <= whole.start {
            return;
        }
        let at = (end - whole.start) as usize - 1;
        let sold = whole.sold.get(at).copied().unwrap_or(0.0);
        let share = whole.available.get(at).copied().unwrap_or(0.0);
        let recorded = self.rules.partial_demand == PartialDemand::Recorded;
        let share = if recorded && share > 0.0 { 1.0 } else { share };
        lane.recorded.push(sold, share);
    }
}

fn gathered(game: &Game, lanes: Vec<Lane>, refits: usize) -> Simulation {
    let (periods, policies) = (game.rules.periods, game.policies.len());
    let mut books = vec![Vec::with_capacity(lanes.len() * periods); policies];
    let mut left = vec![Vec::with_capacity(lanes.len()); policies];
    let mut scored = Vec::with_capacity(lanes.len() * periods);
    let series = lanes.len();
    for lane in lanes {
        for (at, (book, stock)) in lane.books.into_iter().zip(&lane.stocks).enumerate() {
            books[at].extend(book);
            left[at].push((stock.on_hand(), stock.on_order()));
        }
        let known = lane.truth.known.iter().enumerate();
        scored.extend(known.map(|(at, known)| *known && at >= game.rules.warm_up_periods));
    }
    Simulation { series, periods, books, scored, left, refits }
}
