//! What history, the forecast and the plan before say about a line.

use std::cmp::Ordering;
use std::ops::Range;

use crate::calendar::Day;
use crate::policy::terms::SupplyTerms;
use crate::policy::unit::QtyUnit;
use crate::series::Series;

/// A year of whole weeks, so that weekdays match.
const YEAR_DAYS: usize = 364;
/// Days of a plain mean.
const MEAN_DAYS: usize = 28;

/// What gates compare a line with beyond its own numbers; smallest units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// See [`usual_daily_demand`], summed over the places that the line serves; `None` where no
    /// place has it.
    pub usual_daily: Option<f64>,
    /// Mean forecast of a day without what events and promotions bring; `None` where the caller
    /// has not taken them out, and the line's own daily demand stands for it.
    pub plain_daily: Option<f64>,
    /// Days from today until the next order arrives, rounded up.
    pub protection_days: u32,
    /// The forecast comes from neighbouring items.
    pub by_neighbours: bool,
    /// From the day of receipt, where the goods perish.
    pub shelf_life_days: Option<u32>,
    /// From today until the line is there.
    pub arrives_in_days: u32,
    /// Largest demand that the history saw over as many days as a shelf life.
    pub largest_in_shelf_life: Option<i64>,
    /// Most that one line may order of the item, from the item master.
    pub max_order_qty: Option<i64>,
    /// The terms that the line is ordered on, and those of the last published plan that knew them.
    pub terms: Option<OrderTerms>,
    pub terms_before: Option<OrderTerms>,
    pub stock_gone: Option<StockGone>,
    pub unseen_release: Option<UnseenRelease>,
}

/// What a quantity and its cost are counted in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderTerms {
    /// Smallest units; 0 and 1 mean the same.
    pub multiple: i64,
    pub moq: i64,
    /// Per base unit, before price breaks; 0: not known.
    pub unit_cost_minor: i64,
    /// Smallest units in a base unit.
    pub per_base: i64,
    pub base_uom: String,
    /// What one `multiple` is called; may be empty.
    pub pack_uom: String,
}

impl OrderTerms {
    /// Of an item counted in `unit`.
    pub fn of(terms: &SupplyTerms, unit: &QtyUnit) -> OrderTerms {
        OrderTerms {
            multiple: terms.multiple,
            moq: terms.moq,
            unit_cost_minor: terms.unit_cost_minor,
            per_base: unit.per_base(),
            base_uom: unit.name.clone(),
            pack_uom: terms.pack_uom.clone(),
        }
    }

    /// What has changed `times` fold or more, in words; `None` where nothing has. Names whose ratio
    /// nobody can know count as changed, a cost or name that was not there before does not.
    pub fn changed(&self, before: &OrderTerms, times: f64) -> Option<String> {
        let lot = |qty: i64| qty.max(1);
        let numbers = [
            ("the order multiple", lot(before.multiple), lot(self.multiple)),
            ("the minimum order", lot(before.moq), lot(self.moq)),
            ("the unit's decimals", lot(before.per_base), lot(self.per_base)),
        ];
        let changed = numbers.into_iter().find(|&(_, was, is)| far(was, is, times));
        if let Some((what, was, is)) = changed {
            return Some(format!("{what} was {was} and is {is}"));
        }
        let (was, is) = (before.unit_cost_minor, self.unit_cost_minor);
        if was > 0 && far(was, is.max(0), times) {
            return Some(format!("the unit cost was {was} and is {is} minor units"));
        }
        let names = [
            ("base unit", &before.base_uom, &self.base_uom),
            ("pack", &before.pack_uom, &self.pack_uom),
        ];
        names
            .into_iter()
            .find(|(_, was, is)| !was.is_empty() && !same_name(was, is))
            .map(|(what, was, is)| format!("the {what} was called {was:?} and is {is:?}"))
    }
}

fn far(was: i64, is: i64, times: f64) -> bool {
    let (small, large) = (was.min(is) as f64, was.max(is) as f64);
    // Written so that a limit that is not a number holds.
    small != large && !matches!(large.partial_cmp(&(times * small)), Some(Ordering::Less))
}

fn same_name(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Stock that a count no longer has, and nothing explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StockGone {
    pub counted_on: Day,
    pub before_on: Day,
    pub before: i64,
    /// Of the count before, after sales, deliveries out and expiry.
    pub unexplained: i64,
}

/// A line that was released, and no order of it has been seen since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnseenRelease {
    pub business_date: Day,
    pub qty: i64,
    /// Days from then to tonight's business date.
    pub age_days: u32,
}

/// What a day usually asks for, by means that no model had a hand in: the largest of the means of
/// the last four weeks, of the last year, and of four weeks a year before the coming ones. Sales
/// over availability, so that days without stock do not count; `None` where nothing was available
/// on any day.
pub fn usual_daily_demand(history: &Series) -> Option<f64> {
    let end = history.len();
    let last = end.saturating_sub(MEAN_DAYS)..end;
    let year = end.saturating_sub(YEAR_DAYS)..end;
    let mut means = vec![mean_over(history, last), mean_over(history, year)];
    if let Some(from) = end.checked_sub(YEAR_DAYS) {
        means.push(mean_over(history, from..from + MEAN_DAYS));
    }
    means.into_iter().flatten().reduce(f64::max)
}

fn mean_over(history: &Series, days: Range<usize>) -> Option<f64> {
    let (mut sold, mut available) = (0.0, 0.0);
    for day in days {
        let (units, share) = (history.sold[day], f64::from(history.available[day]));
        if units.is_finite() && share > 0.0 {
            sold += units;
            available += share;
        }
    }
    (available > 0.0).then(|| sold / available)
}
