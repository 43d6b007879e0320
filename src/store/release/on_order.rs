//! Released lines as the planner counts them: on order until an order of the upstream shows them.
//!
//! Between a release and the day on which the upstream's feed shows the order, a night that looked
//! only at the feed would order the same again. So a released line counts as on order itself, until
//! an order stands for it, it is closed or cancelled, or its time is up.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use granary_models::calendar::Day;
use granary_models::plan::line::LineState;
use sqlx::FromRow;

use super::settle::{Closing, date_of_key};
use crate::store::db::{self, Db};
use crate::store::inputs::Order;

/// Days after its business date within which an order without a reference may be a line's.
const LIKENESS_DAYS: i32 = 7;

/// What of a released line the planner looks at.
#[derive(Clone, Debug, PartialEq, FromRow)]
struct Row {
    line_key: String,
    revision: i64,
    job: String,
    business_date: String,
    item_id: String,
    location_id: String,
    supplier_id: String,
    source_location_id: String,
    qty: i64,
    unit_cost_minor: i64,
    order_on: String,
    expected_on: String,
    state: String,
    confirmed_qty: Option<i64>,
    confirmed_on: Option<String>,
    order_number: String,
}

/// Everything released before a business date that was in force on it.
#[derive(Clone, Debug, Default)]
pub struct Released {
    rows: Vec<Row>,
    /// Quantities of every revision: an upstream may not have followed the last one yet.
    quantities: BTreeMap<String, BTreeSet<i64>>,
}

/// What released lines come to for one night.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnOrder {
    /// In the form of orders; `po_id` is the key, `line_no` the revision.
    pub orders: Vec<Order>,
    /// Goods that their source still has, though they are promised: location, item, smallest units.
    pub promised: Vec<(String, String, i64)>,
    /// Lines that an order shows as done, or whose time is up.
    pub closings: Vec<Closing>,
    /// How many of the closings are of lines that nothing was ever heard of.
    pub lapsed: usize,
}

/// Which lines are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub job: &'a str,
    pub business_date: Day,
    /// One item at one location; `None` for all.
    pub place: Option<(&'a str, &'a str)>,
}

/// Reads them. A line of the job's own date is what the night decides anew and does not count; one
/// that another job released for the same date does.
pub async fn released(db: &mut Db, scope: Scope<'_>) -> anyhow::Result<Released> {
    let (item_id, location_id) = scope.place.unzip();
    let rows: Vec<Row> = db::query_as(
        "SELECT line_key, revision, job, business_date, item_id, location_id, supplier_id, \
         source_location_id, qty, unit_cost_minor, order_on, expected_on, state, confirmed_qty, \
         confirmed_on, order_number FROM released_line \
         WHERE (state IN ('released', 'confirmed') OR (state = 'closed' AND closed_on >= $1)) \
           AND (business_date < $1 OR (business_date = $1 AND job <> $2)) \
           AND ($3 IS NULL OR item_id = $3) AND ($4 IS NULL OR location_id = $4) \
         ORDER BY item_id, location_id, line_key, revision",
    )
    .bind(scope.business_date)
    .bind(scope.job)
    .bind(item_id)
    .bind(location_id)
    .fetch_all(db)
    .await
    .context("reading released lines")?;
    let mut quantities: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.revision > 1) {
        let all: Vec<i64> = db::query_scalar("SELECT qty FROM released_line WHERE line_key = $1")
            .bind(&row.line_key)
            .fetch_all(db)
            .await?;
        quantities.insert(row.line_key.clone(), all.into_iter().collect());
    }
    Ok(Released { rows, quantities })
}

/// Orders that come from lines which the night decides anew are not yet placed for it.
pub fn without_own_date(orders: Vec<Order>, business_date: Day) -> Vec<Order> {
    let before = |order: &Order| {
        date_of_key(&order.released_line_key).is_none_or(|date| date < business_date)
    };
    orders.into_iter().filter(before).collect()
}

impl Released {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Which of the lines count as on order beside the upstream's orders, as they stood before the
    /// business date. `on_order_days` is the job's own; lines of other jobs are closed by them.
    pub fn against(
        &self,
        orders: &[Order],
        scope: Scope<'_>,
        on_order_days: u32,
    ) -> anyhow::Result<OnOrder> {
        let mut shown = Shown::new(orders);
        let of: Vec<Option<usize>> = self.by_reference(&mut shown);
        let mut found = OnOrder::default();
        for (row, by_reference) in self.rows.iter().zip(of) {
            let day = |text: &str| -> anyhow::Result<Day> {
                text.parse().with_context(|| format!("a date of released line {}", row.line_key))
            };
            let in_force = row.state != LineState::Closed.as_str();
            let mut close = |because: String| {
                if in_force {
                    let (line_key, revision) = (row.line_key.clone(), row.revision);
                    found.closings.push(Closing { line_key, revision, because });
                }
            };
            let business_date = day(&row.business_date)?;
            let order = by_reference.or_else(|| shown.by_likeness(row, business_date, self));
            if let Some(order) = order.map(|at| &orders[at]) {
                if order.received_on.is_some() {
                    close(format!("received as order {}", order.po_id));
                } else if order.cancelled {
                    close(format!("cancelled upstream as order {}", order.po_id));
                }
                continue;
            }
            let expected_on = day(row.confirmed_on.as_deref().unwrap_or(&row.expected_on))?;
            let over = scope.business_date - expected_on > on_order_days as i32;
            if over && row.job == scope.job {
                close(format!("nothing came of it by {}", scope.business_date));
                found.lapsed += usize::from(in_force);
                continue;
            }
            let qty = row.confirmed_qty.unwrap_or(row.qty);
            if qty == 0 {
                continue;
            }
            // Until a purchasing system has taken a transfer, its source has not set the goods aside.
            if !row.source_location_id.is_empty() && row.state == LineState::Released.as_str() {
                found.promised.push((row.source_location_id.clone(), row.item_id.clone(), qty));
            }
            found.orders.push(row.as_order(qty, day(&row.order_on)?, expected_on));
        }
        Ok(found)
    }

    /// The order of each line that names it, or that it names.
    fn by_reference(&self, shown: &mut Shown) -> Vec<Option<usize>> {
        self.rows
            .iter()
            .map(|row| {
                let by_key = shown.by_key.get(row.line_key.as_str()).copied();
                let number = (row.order_number.as_str(), &*row.item_id, &*row.location_id);
                let found = by_key.or_else(|| {
                    let numbered = !row.order_number.is_empty();
                    numbered.then(|| shown.by_number.get(&number).copied()).flatten()
                });
                if let Some(at) = found {
                    shown.taken.insert(at);
                }
                found
            })
            .collect()
    }
}

impl Row {
    fn as_order(&self, qty: i64, ordered_on: Day, expected_on: Day) -> Order {
        Order {
            po_id: self.line_key.clone(),
            line_no: self.revision.to_string(),
            item_id: self.item_id.clone(),
            location_id: self.location_id.clone(),
            supplier_id: self.supplier_id.clone(),
            source_location_id: self.source_location_id.clone(),
            ordered_on: Some(ordered_on),
            expected_on: Some(expected_on),
            received_on: None,
            qty,
            received_qty: 0,
            unit_cost_minor: Some(self.unit_cost_minor),
            cancelled: false,
            released_line_key: self.line_key.clone(),
        }
    }
}

/// The upstream's orders by what a line may be found by.
struct Shown<'a> {
    orders: &'a [Order],
    by_key: BTreeMap<&'a str, usize>,
    by_number: BTreeMap<(&'a str, &'a str, &'a str), usize>,
    by_place: BTreeMap<(&'a str, &'a str), Vec<usize>>,
    /// One order stands for one line.
    taken: BTreeSet<usize>,
}

impl<'a> Shown<'a> {
    fn new(orders: &'a [Order]) -> Shown<'a> {
        let mut shown = Shown {
            orders,
            by_key: BTreeMap::new(),
            by_number: BTreeMap::new(),
            by_place: BTreeMap::new(),
            taken: BTreeSet::new(),
        };
        for (at, order) in orders.iter().enumerate() {
            let place = (order.item_id.as_str(), order.location_id.as_str());
            // Where one line became several orders, one that is still open speaks for it.
            let open = |at: usize| orders[at].received_on.is_none() && !orders[at].cancelled;
            let prefer = |old: usize| if open(old) { old } else { at };
            if !order.released_line_key.is_empty() {
                let entry = shown.by_key.entry(&order.released_line_key).or_insert(at);
                *entry = prefer(*entry);
            }
            let entry = shown.by_number.entry((&order.po_id, place.0, place.1)).or_insert(at);
            *entry = prefer(*entry);
            shown.by_place.entry(place).or_default().push(at);
        }
        shown
    }

    /// An order without a reference for as many of the same from the same, placed soon after.
    fn by_likeness(&mut self, row: &Row, business_date: Day, all: &Released) -> Option<usize> {
        let quantities = all.quantities.get(&row.line_key);
        let alike = |order: &Order| {
            let qty = order.qty == row.qty
                || row.confirmed_qty == Some(order.qty)
                || quantities.is_some_and(|quantities| quantities.contains(&order.qty));
            let days = order.ordered_on.map(|on| on - business_date);
            qty && order.released_line_key.is_empty()
                && order.supplier_id == row.supplier_id
                && order.source_location_id == row.source_location_id
                && days.is_some_and(|days| (0..=LIKENESS_DAYS).contains(&days))
        };
        let candidates = self.by_place.get(&(row.item_id.as_str(), row.location_id.as_str()))?;
        let at = candidates
            .iter()
            .copied()
            .find(|at| !self.taken.contains(at) && alike(&self.orders[*at]))?;
        self.taken.insert(at);
        Some(at)
    }
}
