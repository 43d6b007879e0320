//! What kind of item each one is: by money, by steadiness, by what it does for the shop.
//!
//! Every assignment comes with the numbers that it rests on; every threshold is a setting. Items
//! are judged beside the items given: give one shop's, or one place's, at a time.

use std::collections::BTreeMap;

use crate::forecast::demand_class::DemandClass;

/// Thresholds. Name | default | purpose | range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentSettings {
    /// 0.8, 0.95: shares of the whole at which A ends and B ends, 0..=1, rising.
    pub abc_shares: [f64; 2],
    /// 0.5, 1.0: coefficients of variation of weekly demand at which X ends and Y ends, ≥ 0,
    /// rising.
    pub xyz_cvs: [f64; 2],
    /// 0.9: price rank in the category from which an item stands for the shop's image, 0..=1.
    pub image_price_rank: f64,
    /// 2: times its category's mean attention from which an item draws shoppers, ≥ 0.
    pub traffic_times: f64,
    /// 1: times its category's mean margin in money from which an item carries profit, ≥ 0.
    pub profit_times: f64,
    /// 28: days on sale before which an item is new.
    pub new_days: u32,
    /// 180: days without a sale after which stock is dead.
    pub dead_days: u32,
    /// 120: days of cover above which stock is slow, > 0.
    pub slow_cover_days: f64,
}

impl Default for SegmentSettings {
    fn default() -> SegmentSettings {
        SegmentSettings {
            abc_shares: [0.8, 0.95],
            xyz_cvs: [0.5, 1.0],
            image_price_rank: 0.9,
            traffic_times: 2.0,
            profit_times: 1.0,
            new_days: 28,
            dead_days: 180,
            slow_cover_days: 120.0,
        }
    }
}

/// The few that bring most of the whole, the next few, the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abc {
    A,
    B,
    C,
}

/// Steady demand, demand that swings, demand that comes now and then or is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Xyz {
    X,
    Y,
    Z,
}

impl Abc {
    pub fn as_str(self) -> &'static str {
        match self {
            Abc::A => "A",
            Abc::B => "B",
            Abc::C => "C",
        }
    }
}

impl Xyz {
    pub fn as_str(self) -> &'static str {
        match self {
            Xyz::X => "X",
            Xyz::Y => "Y",
            Xyz::Z => "Z",
        }
    }
}

/// By falling value (revenue or margin, any unit): an item is A while those before it bring less
/// than the first share of the whole, B while less than the second, else C. Items of one value
/// share the class of their first. What brings nothing, or is not a number, is C.
pub fn abc(values: &[f64], shares: [f64; 2]) -> Vec<Abc> {
    let worth = |i: usize| if values[i].is_finite() { values[i].max(0.0) } else { 0.0 };
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
    let total: f64 = order.iter().map(|&i| worth(i)).sum();
    let mut classes = vec![Abc::C; values.len()];
    let (mut before, mut start) = (0.0, 0.0);
    for (rank, &i) in order.iter().enumerate() {
        if rank == 0 || worth(order[rank - 1]) > worth(i) {
            start = before;
        }
        classes[i] = match () {
            () if worth(i) <= 0.0 => Abc::C,
            () if start < shares[0] * total => Abc::A,
            () if start < shares[1] * total => Abc::B,
            () => Abc::C,
        };
        before += worth(i);
    }
    classes
}

/// Coefficient of variation of the sums of whole weeks, counted back from the end: a week holds
/// every weekday once, so what is left is not the weekday's. A week with an unseen day (NaN) is
/// scaled up from its seen days if they are at least four, else left out. `None` below four weeks
/// or without demand.
pub fn weekly_cv(demand: &[f64]) -> Option<f64> {
    let weeks: Vec<f64> = demand
        .rchunks_exact(7)
        .filter_map(|week| {
            let seen = week.iter().filter(|qty| !qty.is_nan()).count();
            let sum: f64 = week.iter().filter(|qty| !qty.is_nan()).sum();
            (seen >= 4).then(|| sum * 7.0 / seen as f64)
        })
        .collect();
    let n = weeks.len() as f64;
    let mean = weeks.iter().sum::<f64>() / n;
    if weeks.len() < 4 || mean <= 0.0 {
        return None;
    }
    let variance = weeks.iter().map(|week| (week - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(variance.sqrt() / mean)
}

/// X up to the first threshold, Y up to the second, else Z; unknown is Z.
pub fn xyz_by_cv(cv: Option<f64>, cuts: [f64; 2]) -> Xyz {
    match cv {
        Some(cv) if cv <= cuts[0] => Xyz::X,
        Some(cv) if cv <= cuts[1] => Xyz::Y,
        _ => Xyz::Z,
    }
}

/// Smooth demand is X, erratic Y, all else Z.
pub fn xyz_by_class(class: DemandClass) -> Xyz {
    match class {
        DemandClass::Smooth => Xyz::X,
        DemandClass::Erratic => Xyz::Y,
        _ => Xyz::Z,
    }
}

/// One item's figures over one and the same period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ItemFigures<'a> {
    pub category: &'a str,
    /// Views, or visitors where views are not counted; `None`: not known.
    pub views: Option<f64>,
    pub orders: f64,
    /// Revenue less the cost of what was sold, minor units.
    pub margin_minor: f64,
    pub revenue_minor: f64,
    /// Usual price per base unit; `None`: not known.
    pub price_minor: Option<f64>,
    /// Made to order, or sold before it is there.
    pub made_to_order: bool,
}

/// What an item is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Made to order or on pre-sale.
    Custom,
    /// Dear and looked at, seldom bought: it shows what the shop can do.
    Image,
    /// Draws shoppers at a margin below its category's.
    Traffic,
    /// Carries the margin.
    Profit,
    Ordinary,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Custom => "custom",
            Role::Image => "image",
            Role::Traffic => "traffic",
            Role::Profit => "profit",
            Role::Ordinary => "ordinary",
        }
    }
}

/// A role and what it rests on; a number that cannot be known is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoleReason {
    pub role: Role,
    /// Share of the category's items that are not dearer, 0..=1; 1 is the dearest.
    pub price_rank: Option<f64>,
    /// Views over the category's mean views.
    pub attention_times: Option<f64>,
    /// Orders over the category's mean orders.
    pub orders_times: Option<f64>,
    /// Margin over revenue, and the category's over all its items.
    pub margin_rate: Option<f64>,
    pub category_margin_rate: Option<f64>,
    /// Margin in money over the category's mean margin.
    pub margin_times: Option<f64>,
}

/// The first rule that holds: custom (made to order); image (price rank ≥ `image_price_rank`, views
/// at least the category's mean, orders below it); traffic (attention ≥ `traffic_times` the mean,
/// margin rate below the category's; where views are unknown orders stand in); profit (margin ≥
/// `profit_times` the mean and margin rate not below the category's); else ordinary. A category of
/// fewer than three items knows no rank.
pub fn roles(items: &[ItemFigures], settings: &SegmentSettings) -> Vec<RoleReason> {
    let mut categories: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        categories.entry(item.category).or_default().push(i);
    }
    let mut reasons: Vec<Option<RoleReason>> = vec![None; items.len()];
    for members in categories.values() {
        let category = CategoryFigures::of(items, members);
        for &i in members {
            reasons[i] = Some(category.role(&items[i], settings));
        }
    }
    reasons.into_iter().flatten().collect()
}

/// Sum in an order of its own, so that the order of the input does not show in the last digit.
pub(super) fn ordered_sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.iter().sum()
}

fn ratio(above: f64, below: f64) -> Option<f64> {
    (below > 0.0 && above.is_finite()).then(|| above / below)
}

struct CategoryFigures {
    prices: Vec<f64>,
    mean_views: f64,
    mean_orders: f64,
    mean_margin: f64,
    margin_rate: Option<f64>,
    members: usize,
}

impl CategoryFigures {
    fn of(items: &[ItemFigures], members: &[usize]) -> CategoryFigures {
        let of = || members.iter().map(|&i| &items[i]);
        let mut prices: Vec<f64> = of().filter_map(|item| item.price_minor).collect();
        prices.sort_by(f64::total_cmp);
        let viewed = of().filter(|item| item.views.is_some()).count().max(1) as f64;
        let n = members.len() as f64;
        let margin = ordered_sum(of().map(|item| item.margin_minor));
        CategoryFigures {
            prices,
            mean_views: ordered_sum(of().filter_map(|item| item.views)) / viewed,
            mean_orders: ordered_sum(of().map(|item| item.orders)) / n,
            mean_margin: margin / n,
            margin_rate: ratio(margin, ordered_sum(of().map(|item| item.revenue_minor))),
            members: members.len(),
        }
    }

    fn role(&self, item: &ItemFigures, settings: &SegmentSettings) -> RoleReason {
        let ranked = item.price_minor.filter(|_| self.members >= 3);
        let price_rank = ranked.map(|price| {
            let below = self.prices.partition_point(|&other| other < price);
            below as f64 / (self.prices.len().max(2) - 1) as f64
        });
        let mut reason = RoleReason {
            role: Role::Ordinary,
            price_rank,
            attention_times: item.views.and_then(|views| ratio(views, self.mean_views)),
            orders_times: ratio(item.orders, self.mean_orders),
            margin_rate: ratio(item.margin_minor, item.revenue_minor),
            category_margin_rate: self.margin_rate,
            margin_times: ratio(item.margin_minor, self.mean_margin),
        };
        let at_least = |value: Option<f64>, limit: f64| value.is_some_and(|value| value >= limit);
        let rates = reason.margin_rate.zip(reason.category_margin_rate);
        let attention = reason.attention_times.or(reason.orders_times);
        reason.role = if item.made_to_order {
            Role::Custom
        } else if at_least(reason.price_rank, settings.image_price_rank)
            && at_least(reason.attention_times, 1.0)
            && reason.orders_times.is_none_or(|times| times < 1.0)
        {
            Role::Image
        } else if at_least(attention, settings.traffic_times)
            && rates.is_some_and(|(own, category)| own < category)
        {
            Role::Traffic
        } else if at_least(reason.margin_times, settings.profit_times)
            && rates.is_some_and(|(own, category)| own >= category)
        {
            Role::Profit
        } else {
            Role::Ordinary
        };
        reason
    }
}

/// Where an item stands in its category by how often it is seen and how often it is then bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quadrant {
    /// Seen and bought: keep it in stock.
    Star,
    /// Seldom seen, often bought then: show it more.
    Hidden,
    /// Often seen, seldom bought: look at price, page and sizes.
    Leaky,
    /// Neither.
    Weak,
}

impl Quadrant {
    pub fn as_str(self) -> &'static str {
        match self {
            Quadrant::Star => "star",
            Quadrant::Hidden => "hidden",
            Quadrant::Leaky => "leaky",
            Quadrant::Weak => "weak",
        }
    }
}

/// A quadrant and its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuadrantReason {
    pub quadrant: Quadrant,
    pub views: f64,
    pub median_views: f64,
    /// Orders per view, drawn to the category's: of few views not much is believed.
    pub conversion: f64,
    pub median_conversion: f64,
}

/// By the category's medians of views and of shrunk conversion; at a median counts as above it.
/// `None` where views are not known or the category has fewer than three items with views.
pub fn quadrants(items: &[ItemFigures]) -> Vec<Option<QuadrantReason>> {
    let mut categories: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        if item.views.is_some() {
            categories.entry(item.category).or_default().push(i);
        }
    }
    let mut reasons = vec![None; items.len()];
    for members in categories.values().filter(|members| members.len() >= 3) {
        let counts: Vec<(f64, f64)> =
            members.iter().map(|&i| (items[i].orders, items[i].views.unwrap_or(0.0))).collect();
        let prior = BetaPrior::pooled(&counts);
        let shrunk: Vec<f64> =
            counts.iter().map(|&(orders, views)| prior.mean_after(orders, views)).collect();
        let median_views = median(counts.iter().map(|&(_, views)| views).collect());
        let median_conversion = median(shrunk.clone());
        for (k, &i) in members.iter().enumerate() {
            let seen = counts[k].1 >= median_views;
            let bought = shrunk[k] >= median_conversion;
            let quadrant = match (seen, bought) {
                (true, true) => Quadrant::Star,
                (false, true) => Quadrant::Hidden,
                (true, false) => Quadrant::Leaky,
                (false, false) => Quadrant::Weak,
            };
            reasons[i] = Some(QuadrantReason {
                quadrant,
                views: counts[k].1,
                median_views,
                conversion: shrunk[k],
                median_conversion,
            });
        }
    }
    reasons
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[(n - 1) / 2] + values[n / 2])
}

/// Beta over the rate of a group's members: mean and the number of trials that it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BetaPrior {
    pub mean: f64,
    pub trials: f64,
}

impl BetaPrior {
    /// From (successes, trials) of each member by moments (Kleinman 1973); successes above the
    /// trials count as all of them. Members that differ by no more than chance are worth 10,000
    /// trials, and no prior is worth less than 2.
    pub fn pooled(counts: &[(f64, f64)]) -> BetaPrior {
        let used = || {
            counts
                .iter()
                .filter(|(_, trials)| *trials > 0.0)
                .map(|&(hits, trials)| (hits.clamp(0.0, trials), trials))
        };
        let trials = ordered_sum(used().map(|(_, trials)| trials));
        if trials <= 0.0 {
            return BetaPrior { mean: 0.5, trials: 2.0 };
        }
        // Half a success and failure keep the mean inside (0, 1).
        let mean = (ordered_sum(used().map(|(hits, _)| hits)) + 0.5) / (trials + 1.0);
        let n = used().count() as f64;
        let spread = ordered_sum(used().map(|(hits, t)| t * (hits / t - mean).powi(2)));
        let chance = mean * (1.0 - mean);
        let squares = ordered_sum(used().map(|(_, t)| t * t)) / trials;
        // E spread = chance · ((n − 1) + φ (Σt − Σt²/Σt)), φ = 1 / (trials + 1).
        let phi = (spread / chance - (n - 1.0)) / (trials - squares).max(1e-9);
        let worth = if n > 1.0 && phi > 0.0 { 1.0 / phi - 1.0 } else { 1e4 };
        BetaPrior { mean, trials: worth.clamp(2.0, 1e4) }
    }

    /// Mean of the rate after so many successes of so many trials.
    pub fn mean_after(&self, hits: f64, trials: f64) -> f64 {
        (self.mean * self.trials + hits.clamp(0.0, trials)) / (self.trials + trials)
    }
}

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Movement {
    /// On sale for fewer than `new_days`.
    New,
    /// In stock, and nothing sold for `dead_days` or ever since.
    Dead,
    /// In stock for more than `slow_cover_days` of expected demand.
    Slow,
    Active,
}

impl Movement {
    pub fn as_str(self) -> &'static str {
        match self {
            Movement::New => "new",
            Movement::Dead => "dead",
            Movement::Slow => "slow",
            Movement::Active => "active",
        }
    }
}

/// What the movement of one item is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovementFacts {
    pub days_on_sale: u32,
    /// Days since the last sale; `None`: never sold.
    pub days_since_sale: Option<u32>,
    /// On hand, smallest units.
    pub stock_qty: f64,
    /// Expected demand per day, smallest units.
    pub daily_qty: f64,
}

/// The first that holds of new, dead, slow, active.
pub fn movement(facts: &MovementFacts, settings: &SegmentSettings) -> Movement {
    let quiet = facts.days_since_sale.unwrap_or(facts.days_on_sale);
    if facts.days_on_sale < settings.new_days {
        Movement::New
    } else if facts.stock_qty > 0.0 && quiet >= settings.dead_days {
        Movement::Dead
    } else if facts.stock_qty > 0.0 && facts.stock_qty > settings.slow_cover_days * facts.daily_qty
    {
        Movement::Slow
    } else {
        Movement::Active
    }
}
