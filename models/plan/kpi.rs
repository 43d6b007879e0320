//! Figures that tell how a place, a category or a supplier does.
//!
//! | name | unit | is |
//! |---|---|---|
//! | `stock_turns` | per year | cost of goods sold · 365 / days, over mean stock at cost |
//! | `gmroi` | per year | gross margin · 365 / days, over mean stock at cost |
//! | `days_of_cover` | days | stock at cost, over expected daily demand at cost |
//! | `in_stock_rate` | share | item-days' availability, over item-days observed |
//! | `in_stock_rate_weighted` | share | the same, item-days weighed by the item's mean demand |
//! | `stock_out_rate` | share | item-days without stock all day, over item-days observed |
//! | `fill_rate` | share | demand served, over demand (lost sales as estimated) |
//! | `slow_stock_share` | share | stock at cost of slow and dead items, over all stock at cost |
//! | `excess_share` | share | stock and orders over the cover allowed, over all of it, at cost |
//! | `expiring_share` | share | expected waste of lots on hand, over stock, at cost |
//! | `otif` | share | quantity there in time, over quantity due |
//! | `otif_lines` | share | lines in full and in time, over lines due |
//! | `return_rate` | share | units back, over units sold |
//! | `forecast_bias` | share | forecast less demand, over demand |
//!
//! Cover, slow, excess and expiring stock are of today and the days ahead; all others of the period
//! that the rows are from.
//!
//! Money is minor units of one currency: give one currency at a time. A figure whose denominator is
//! not above 0 is not known and is left out. Sums do not depend on the order of the input.

use std::collections::BTreeMap;

use statrs::distribution::{Beta, ContinuousCDF};

use crate::calendar::Day;
use crate::distribution::DemandPaths;
use crate::finding::{Code, Finding};
use crate::plan::segment::{BetaPrior, Movement, ordered_sum};
use crate::policy::projection::LotLeft;

/// What a figure is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Location(String),
    Category(String),
    Supplier(String),
}

impl Scope {
    /// `all`, `location`, `category` or `supplier`, and its id.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Scope::All => ("all", ""),
            Scope::Location(id) => ("location", id),
            Scope::Category(id) => ("category", id),
            Scope::Supplier(id) => ("supplier", id),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Kpi {
    pub name: &'static str,
    pub scope: Scope,
    pub value: f64,
    /// `share`, `days` or `per_year`.
    pub unit: &'static str,
    pub numerator: f64,
    pub denominator: f64,
}

/// A figure as its two sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    pub numerator: f64,
    pub denominator: f64,
}

impl Ratio {
    /// `None` unless both are finite and the denominator is above 0.
    pub fn new(numerator: f64, denominator: f64) -> Option<Ratio> {
        let known = numerator.is_finite() && denominator.is_finite() && denominator > 0.0;
        known.then_some(Ratio { numerator, denominator })
    }

    pub fn value(&self) -> f64 {
        self.numerator / self.denominator
    }
}

/// A figure: its name, its unit, and how it is made from rows of `T`.
pub struct Figure<T> {
    pub name: &'static str,
    pub unit: &'static str,
    pub of: fn(&[&T]) -> Option<Ratio>,
}

/// Each figure over all rows and over every scope that `scopes` gives a row (by its place), scopes
/// in order.
pub fn scoped<T>(
    rows: &[T],
    figures: &[Figure<T>],
    scopes: impl Fn(usize) -> Vec<Scope>,
) -> Vec<Kpi> {
    let mut groups: BTreeMap<Scope, Vec<&T>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        for scope in std::iter::once(Scope::All).chain(scopes(at)) {
            groups.entry(scope).or_default().push(row);
        }
    }
    let of = |(scope, rows): (&Scope, &Vec<&T>), figure: &Figure<T>| {
        let Ratio { numerator, denominator } = (figure.of)(rows)?;
        Some(Kpi {
            name: figure.name,
            scope: scope.clone(),
            value: numerator / denominator,
            unit: figure.unit,
            numerator,
            denominator,
        })
    };
    figures
        .iter()
        .flat_map(|figure| groups.iter().filter_map(|group| of(group, figure)).collect::<Vec<_>>())
        .collect()
}

/// Numerator and denominator summed over rows; a row with a part that is not finite is left out.
fn sums<T>(rows: &[&T], parts: impl Fn(&T) -> (f64, f64)) -> Option<Ratio> {
    let parts: Vec<(f64, f64)> = rows
        .iter()
        .map(|row| parts(row))
        .filter(|(above, below)| above.is_finite() && below.is_finite())
        .collect();
    Ratio::new(
        ordered_sum(parts.iter().map(|part| part.0)),
        ordered_sum(parts.iter().map(|part| part.1)),
    )
}

/// One item at one place over a period of `days`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TradeRow {
    pub days: f64,
    pub revenue_minor: f64,
    /// Cost of the goods sold.
    pub cogs_minor: f64,
    /// Mean over the period, at cost.
    pub mean_stock_minor: f64,
    /// Smallest units sold, and units asked for as far as known (sold and estimated lost).
    pub served_qty: f64,
    pub demand_qty: f64,
    /// Sum of forecasts for the same days.
    pub forecast_qty: Option<f64>,
    /// Days on which it could have been sold and was observed.
    pub observed_days: f64,
    /// Sum over those days of the share of the day on which there was stock.
    pub available_days: f64,
    /// Of those, days without any stock.
    pub empty_days: f64,
    /// For the weighted in-stock rate, smallest units or money a day.
    pub mean_daily_demand: f64,
}

/// `stock_turns`, `gmroi`, `fill_rate`, `in_stock_rate`, `in_stock_rate_weighted`, `stock_out_rate`
/// and `forecast_bias`.
pub const TRADE: &[Figure<TradeRow>] = &[
    Figure {
        name: "stock_turns",
        unit: "per_year",
        of: |rows| sums(rows, |row| (row.cogs_minor * 365.0 / row.days, row.mean_stock_minor)),
    },
    Figure {
        name: "gmroi",
        unit: "per_year",
        of: |rows| {
            sums(rows, |row| {
                ((row.revenue_minor - row.cogs_minor) * 365.0 / row.days, row.mean_stock_minor)
            })
        },
    },
    Figure {
        name: "fill_rate",
        unit: "share",
        of: |rows| sums(rows, |row| (row.served_qty.min(row.demand_qty), row.demand_qty)),
    },
    Figure {
        name: "in_stock_rate",
        unit: "share",
        of: |rows| sums(rows, |row| (row.available_days, row.observed_days)),
    },
    Figure {
        name: "in_stock_rate_weighted",
        unit: "share",
        of: |rows| {
            sums(rows, |row| {
                let weight = row.mean_daily_demand.max(0.0);
                (weight * row.available_days, weight * row.observed_days)
            })
        },
    },
    Figure {
        name: "stock_out_rate",
        unit: "share",
        of: |rows| sums(rows, |row| (row.empty_days, row.observed_days)),
    },
    Figure {
        name: "forecast_bias",
        unit: "share",
        of: |rows| {
            let known: Vec<&TradeRow> =
                rows.iter().copied().filter(|row| row.forecast_qty.is_some()).collect();
            sums(&known, |row| (row.forecast_qty.unwrap_or(0.0) - row.demand_qty, row.demand_qty))
        },
    },
];

/// One item at one place as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StockRow {
    /// Smallest units; of one of them the cost in minor units.
    pub on_hand_qty: f64,
    pub on_order_qty: f64,
    pub unit_cost_minor: f64,
    /// Expected demand per day, smallest units.
    pub daily_qty: f64,
    /// Days of demand that the policy would ever hold: lead time, review, safety, or the smallest
    /// lot where that lasts longer.
    pub allowed_cover_days: f64,
    pub movement: Movement,
    /// [`expiring`] of its lots, smallest units.
    pub expected_waste_qty: f64,
}

impl StockRow {
    fn stock_minor(&self) -> f64 {
        self.on_hand_qty.max(0.0) * self.unit_cost_minor
    }
}

/// `days_of_cover`, `slow_stock_share`, `excess_share` and `expiring_share`; the numerators of the
/// last three are their values in money.
pub const STOCK: &[Figure<StockRow>] = &[
    Figure {
        name: "days_of_cover",
        unit: "days",
        of: |rows| sums(rows, |row| (row.stock_minor(), row.daily_qty * row.unit_cost_minor)),
    },
    Figure {
        name: "slow_stock_share",
        unit: "share",
        of: |rows| {
            sums(rows, |row| {
                let slow = matches!(row.movement, Movement::Slow | Movement::Dead);
                (if slow { row.stock_minor() } else { 0.0 }, row.stock_minor())
            })
        },
    },
    Figure {
        name: "excess_share",
        unit: "share",
        of: |rows| {
            sums(rows, |row| {
                let there = row.on_hand_qty.max(0.0) + row.on_order_qty.max(0.0);
                let allowed = row.allowed_cover_days * row.daily_qty;
                let over = (there - allowed).max(0.0);
                (over * row.unit_cost_minor, there * row.unit_cost_minor)
            })
        },
    },
    Figure {
        name: "expiring_share",
        unit: "share",
        of: |rows| {
            sums(rows, |row| (row.expected_waste_qty * row.unit_cost_minor, row.stock_minor()))
        },
    },
];

/// What of the lots on hand will expire unsold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Expiring {
    /// Smallest units.
    pub expected_qty: f64,
    /// P(any of it).
    pub probability: f64,
}

/// Lots sold soonest first along each path, with nothing new coming: of the first i lots those sell
/// that demand up to each one's last day takes, `S_i = S_{i-1} + min(q_i, D(L_i) − S_{i-1})`. Days
/// past the paths bring the demand of their last week again. `None` without paths or lots.
pub fn expiring(lots: &[LotLeft], demand: &DemandPaths) -> Option<Expiring> {
    if demand.paths == 0 || demand.horizon == 0 || lots.is_empty() {
        return None;
    }
    let mut lots: Vec<LotLeft> = lots.iter().copied().filter(|lot| lot.qty > 0).collect();
    lots.sort_by_key(|lot| (lot.last_day, lot.qty));
    let week = demand.horizon.min(7);
    let mut found = Expiring::default();
    for path in 0..demand.paths {
        let days = demand.path(path);
        let on = |day: usize| match day {
            day if day < days.len() => days[day],
            day => days[days.len() - week + (day - days.len()) % week],
        };
        let (mut sold, mut wanted, mut day, mut wasted) = (0.0, 0.0, 0, 0.0);
        for lot in &lots {
            while (day as i32) <= lot.last_day {
                wanted += f64::from(on(day).max(0.0));
                day += 1;
            }
            let taken = (lot.qty as f64).min((wanted - sold).max(0.0));
            sold += taken;
            wasted += lot.qty as f64 - taken;
        }
        found.expected_qty += wasted / demand.paths as f64;
        found.probability += f64::from(u8::from(wasted > 0.5)) / demand.paths as f64;
    }
    Some(found)
}

/// A purchase order line with what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    pub supplier_id: String,
    /// Smallest units, or any unit that the lines share.
    pub ordered_qty: f64,
    pub promised_on: Day,
    /// (day, quantity) of each receipt.
    pub receipts: Vec<(Day, f64)>,
}

/// What counts as on time and in full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OtifTerms {
    pub today: Day,
    /// Days past the promise that still count as on time; default 0.
    pub tolerance_days: i32,
    /// Share of the quantity that counts as in full, 0..=1; default 0.98.
    pub full_share: f64,
}

impl OtifTerms {
    pub fn new(today: Day) -> OtifTerms {
        OtifTerms { today, tolerance_days: 0, full_share: 0.98 }
    }

    /// Quantity there in time and quantity due; `None` while the line is not due. What came before
    /// its day counts; over-delivery does not.
    fn in_time(&self, row: &DeliveryRow) -> Option<(f64, f64)> {
        let last = row.promised_on + self.tolerance_days;
        let received = ordered_sum(
            row.receipts.iter().filter(|&&(day, _)| day <= last).map(|&(_, qty)| qty.max(0.0)),
        );
        // An open line fails only once its last day is over.
        let due = last < self.today || received >= row.ordered_qty;
        (due && row.ordered_qty > 0.0).then(|| (received.min(row.ordered_qty), row.ordered_qty))
    }
}

/// `otif` by quantity and `otif_lines`, overall and per supplier. Open lines that are past their
/// promise count as failures, as far as they have not come.
pub fn otif(rows: &[DeliveryRow], terms: &OtifTerms) -> Vec<Kpi> {
    struct Due<'a> {
        supplier_id: &'a str,
        received: f64,
        ordered: f64,
        full: bool,
    }
    let due: Vec<Due> = rows
        .iter()
        .filter_map(|row| {
            let (received, ordered) = terms.in_time(row)?;
            let full = received >= terms.full_share * ordered;
            Some(Due { supplier_id: &row.supplier_id, received, ordered, full })
        })
        .collect();
    let figures = [
        Figure::<Due> {
            name: "otif",
            unit: "share",
            of: |rows| sums(rows, |row| (row.received, row.ordered)),
        },
        Figure::<Due> {
            name: "otif_lines",
            unit: "share",
            of: |rows| sums(rows, |row| (f64::from(u8::from(row.full)), 1.0)),
        },
    ];
    scoped(&due, &figures, |at| vec![Scope::Supplier(due[at].supplier_id.to_owned())])
}

/// Suppliers with `otif_lines` below `least` on at least `lines` lines due.
pub fn otif_findings(kpis: &[Kpi], least: f64, lines: f64) -> Vec<(String, Finding)> {
    kpis.iter()
        .filter(|kpi| kpi.name == "otif_lines" && kpi.value < least && kpi.denominator >= lines)
        .filter_map(|kpi| {
            let Scope::Supplier(id) = &kpi.scope else { return None };
            let detail = format!(
                "{id}: {:.0} of {:.0} lines due came on time and in full ({:.0}%, limit {:.0}%)",
                kpi.numerator,
                kpi.denominator,
                100.0 * kpi.value,
                100.0 * least
            );
            Some((id.clone(), Finding::new(Code::SupplierOtifLow, detail)))
        })
        .collect()
}

/// A finding for each scope whose `slow_stock_share` is above `most`.
pub fn slow_findings(kpis: &[Kpi], most: f64) -> Vec<(Scope, Finding)> {
    kpis.iter()
        .filter(|kpi| kpi.name == "slow_stock_share" && kpi.value > most)
        .map(|kpi| {
            let (kind, id) = kpi.scope.parts();
            let detail = format!(
                "{kind} {id}: {:.0} of {:.0} minor units of stock are slow or dead ({:.0}%, limit \
                 {:.0}%)",
                kpi.numerator,
                kpi.denominator,
                100.0 * kpi.value,
                100.0 * most
            );
            (kpi.scope.clone(), Finding::new(Code::SlowStockHigh, detail))
        })
        .collect()
}

/// Units of one item sold and come back, over one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReturnRow {
    pub sold_qty: f64,
    pub returned_qty: f64,
}

/// `return_rate`.
pub const RETURNS: &[Figure<ReturnRow>] = &[Figure {
    name: "return_rate",
    unit: "share",
    of: |rows| sums(rows, |row| (row.returned_qty.clamp(0.0, row.sold_qty.max(0.0)), row.sold_qty)),
}];

/// When a return rate is alarming.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReturnLimits {
    /// 0.15: a rate above this is too high, 0..1.
    pub rate: f64,
    /// 0.9: how sure one must be of it, 0..1.
    pub sure: f64,
}

impl Default for ReturnLimits {
    fn default() -> ReturnLimits {
        ReturnLimits { rate: 0.15, sure: 0.9 }
    }
}

/// Items, by their place in `rows`, whose rate is above the limit with a posterior probability of
/// at least `sure`: a Beta around the rate of all rows, by moments, updated with the item's own
/// units. One parcel that came back proves nothing. The prior is worth at most 50 units, so that an
/// item with many sales speaks for itself, and at least 10.
pub fn return_alerts(rows: &[ReturnRow], limits: &ReturnLimits) -> Vec<(usize, Finding)> {
    let counts: Vec<(f64, f64)> =
        rows.iter().map(|row| (row.returned_qty.max(0.0), row.sold_qty)).collect();
    let pooled = BetaPrior::pooled(&counts);
    let weight = pooled.trials.clamp(10.0, 50.0);
    rows.iter()
        .enumerate()
        .filter_map(|(i, row)| {
            let sold = row.sold_qty;
            let back = row.returned_qty.clamp(0.0, sold.max(0.0));
            if !(sold > 0.0 && sold.is_finite() && back > limits.rate * sold) {
                return None;
            }
            let (a, b) = (pooled.mean * weight + back, (1.0 - pooled.mean) * weight + sold - back);
            let above = Beta::new(a, b).ok()?.sf(limits.rate);
            (above >= limits.sure).then(|| {
                let detail = format!(
                    "{back:.0} of {sold:.0} units came back ({:.0}%); the rate is above {:.0}% \
                     with probability {above:.2}",
                    100.0 * back / sold,
                    100.0 * limits.rate
                );
                (i, Finding::new(Code::ReturnRateHigh, detail))
            })
        })
        .collect()
}
