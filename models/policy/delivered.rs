//! How much of an order comes, learned from orders that are done with.

use std::collections::BTreeMap;

use crate::policy::terms::Delivered;

/// Parent's weight in orders, as for lead times.
const SUPPLIER_WEIGHT: f64 = 8.0;
const GLOBAL_WEIGHT: f64 = 4.0;

/// One purchase order line that nothing more is expected of.
#[derive(Clone, Copy, Debug)]
pub struct DoneOrder<'a> {
    pub item_id: &'a str,
    /// Supplier, or source location of a transfer.
    pub supplier_id: &'a str,
    /// Smallest units.
    pub ordered: i64,
    /// More than was ordered counts as all of it.
    pub received: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    orders: f64,
    whole: f64,
    /// Sum over the orders that came short of the share that came.
    parts: f64,
}

impl Counts {
    fn add(&mut self, order: &DoneOrder) {
        self.orders += 1.0;
        if order.received >= order.ordered {
            self.whole += 1.0;
        } else {
            self.parts += order.received.max(0) as f64 / order.ordered as f64;
        }
    }

    /// As if the parent had contributed `weight` orders.
    fn pooled(&self, parent: Delivered, weight: f64) -> Delivered {
        let whole = (self.whole + weight * parent.whole) / (self.orders + weight);
        let short = self.orders - self.whole;
        let parent_short = weight * (1.0 - parent.whole);
        let part = if short + parent_short > 0.0 {
            (self.parts + parent_short * parent.part) / (short + parent_short)
        } else {
            1.0
        };
        Delivered { whole, part }
    }
}

/// What every item and supplier delivers: an item at a supplier is shrunk towards the supplier, and
/// this towards all.
#[derive(Clone, Debug, Default)]
pub struct DeliveredBook {
    global: Delivered,
    suppliers: BTreeMap<String, Delivered>,
    items: BTreeMap<String, BTreeMap<String, Delivered>>,
    /// Orders over nothing: not used.
    pub odd_orders: u32,
}

/// Learns from orders in any sequence.
pub fn learn_delivered<'a>(orders: impl IntoIterator<Item = DoneOrder<'a>>) -> DeliveredBook {
    let mut book = DeliveredBook::default();
    let mut all = Counts::default();
    let mut by_supplier: BTreeMap<&str, (Counts, BTreeMap<&str, Counts>)> = BTreeMap::new();
    for order in orders {
        if order.ordered <= 0 {
            book.odd_orders += 1;
            continue;
        }
        let (supplier, items) = by_supplier.entry(order.supplier_id).or_default();
        all.add(&order);
        supplier.add(&order);
        items.entry(order.item_id).or_default().add(&order);
    }
    book.global = all.pooled(Delivered::default(), 1.0);
    for (supplier_id, (counts, items)) in by_supplier {
        let pooled = counts.pooled(book.global, GLOBAL_WEIGHT);
        let own = items
            .into_iter()
            .map(|(item_id, counts)| (item_id.to_owned(), counts.pooled(pooled, SUPPLIER_WEIGHT)));
        book.items.insert(supplier_id.to_owned(), own.collect());
        book.suppliers.insert(supplier_id.to_owned(), pooled);
    }
    book
}

impl DeliveredBook {
    /// Of the item at the supplier; of the supplier where it never sold the item; of all suppliers
    /// where it never sold anything. Without any order everything comes.
    pub fn get(&self, item_id: &str, supplier_id: &str) -> Delivered {
        let own = self.items.get(supplier_id).and_then(|items| items.get(item_id));
        own.or_else(|| self.suppliers.get(supplier_id)).copied().unwrap_or(self.global)
    }
}
