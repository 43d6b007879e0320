//! A small retailer drawn from a seed, as the files of an upstream.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use granary::config::Table;
use granary::jobs::import::{ImportOptions, import_files};
use granary::sources::Map;
use granary::store::Store;
use granary_models::calendar::Day;

use crate::chance::Random;

impl Random {
    pub fn chance(&mut self, per_cent: u64) -> bool {
        self.below(100) < per_cent
    }

    /// Knuth's, good for the small means here.
    fn poisson(&mut self, mean: f64) -> i64 {
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit && n < 1_000 {
            product *= self.unit();
            n += 1;
        }
        n
    }
}

/// An item at a place that sells it; quantities are pieces.
#[derive(Clone, Debug)]
pub struct Offer {
    pub item: String,
    pub place: String,
    pub daily: f64,
    pub on_hand: i64,
    pub multiple: i64,
    pub moq: i64,
    pub unit_cost_minor: i64,
}

/// An order that is on its way.
#[derive(Clone, Debug)]
pub struct Open {
    pub po_id: String,
    /// Index into the offers.
    pub offer: usize,
    pub qty: i64,
    pub ordered_on: Day,
    pub expected_on: Day,
}

pub struct Retailer {
    pub offers: Vec<Offer>,
    /// Most of an item in one line: two months of what its best place sells.
    pub caps: BTreeMap<String, i64>,
    pub open: Vec<Open>,
    pub random: Random,
    /// The coming night's.
    pub date: Day,
}

pub const SUPPLIERS: [&str; 2] = ["SUP-A", "SUP-B"];
const HISTORY_DAYS: i32 = 98;

impl Retailer {
    pub fn draw(seed: u64) -> Retailer {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x6772_616e);
        let items = 8 + random.below(6);
        let shops = 2 + random.below(2);
        let mut offers = Vec::new();
        let mut caps: BTreeMap<String, i64> = BTreeMap::new();
        for item in 0..items {
            let name = format!("I{item:03}");
            let (level, multiple) =
                (1.0 + 15.0 * random.unit(), [1, 1, 6, 12][random.below(4) as usize]);
            let unit_cost_minor = 100 + random.below(2_000) as i64;
            for shop in 0..shops {
                let daily = level * (0.6 + 0.8 * random.unit());
                offers.push(Offer {
                    item: name.clone(),
                    place: format!("S{shop}"),
                    daily,
                    // From nearly out to a fortnight's.
                    on_hand: (daily * (1.0 + 13.0 * random.unit())).ceil() as i64,
                    multiple,
                    moq: multiple * (1 + random.below(2) as i64),
                    unit_cost_minor,
                });
                let cap = caps.entry(name.clone()).or_default();
                *cap = (*cap).max((60.0 * daily).ceil() as i64 + 2 * multiple);
            }
        }
        Retailer { offers, caps, open: Vec::new(), random, date: Day(20_381) }
    }

    /// Everything that is known on the evening before the first night.
    pub async fn load(&mut self, store: &Store, folder: &Path) {
        let mut item =
            "item_id,category,unit_cost_minor,unit_price_minor,currency,max_order_qty\n".to_owned();
        // Every third item has no cap of its own: there the job's limits stand alone.
        for (at, (id, cap)) in self.caps.iter().enumerate() {
            let offer = self.offers.iter().find(|offer| offer.item == *id).expect("it is sold");
            let cap = if at % 3 == 0 { String::new() } else { cap.to_string() };
            let cost = offer.unit_cost_minor;
            let _ = writeln!(item, "{id},C{},{cost},{},CNY,{cap}", at % 2, cost * 8 / 5);
        }
        let mut location = "location_id,kind,region\n".to_owned();
        let places: std::collections::BTreeSet<&str> =
            self.offers.iter().map(|offer| offer.place.as_str()).collect();
        places.iter().for_each(|place| {
            let _ = writeln!(location, "{place},store,CN-SOUTH");
        });
        let mut supplier = "supplier_id,currency\n".to_owned();
        SUPPLIERS.iter().for_each(|id| {
            let _ = writeln!(supplier, "{id},CNY");
        });
        for (table, text) in [("item", item), ("location", location), ("supplier", supplier)] {
            import(store, folder, table, "master", &text).await;
        }
        import(store, folder, "supply_terms", "master", &self.terms(|_| {})).await;
        let mut sales = SALES.to_owned();
        for day in (self.date - HISTORY_DAYS).until(self.date) {
            self.sell(day, &mut sales, false);
        }
        import(store, folder, "sales", "history", &sales).await;
        let mut stock = STOCK.to_owned();
        for (at, offer) in self.offers.iter().enumerate() {
            // The day before, a day's sales more were there.
            let before = offer.on_hand + 1 + (at % 3) as i64;
            let _ = writeln!(stock, "{},{},{},{before}", offer.item, offer.place, self.date - 2);
            let _ = writeln!(
                stock,
                "{},{},{},{}",
                offer.item,
                offer.place,
                self.date - 1,
                offer.on_hand
            );
        }
        import(store, folder, "stock", "history", &stock).await;
        let orders = self.first_orders();
        import(store, folder, "purchase_order", "history", &orders).await;
    }

    /// The table of terms, each row changed by `change`.
    pub fn terms(&self, change: impl Fn(&mut Offer)) -> String {
        let mut text = "item_id,location_id,supplier_id,kind,lead_time_days,review_days,moq,\
                        multiple,pack_uom,unit_cost_minor,currency\n"
            .to_owned();
        for offer in &self.offers {
            let mut offer = offer.clone();
            change(&mut offer);
            let pack = if offer.multiple > 1 { "case" } else { "" };
            let supplier = self.supplier(&offer.item);
            let _ = writeln!(
                text,
                "{},{},{supplier},purchase,3,7,{},{},{pack},{},CNY",
                offer.item, offer.place, offer.moq, offer.multiple, offer.unit_cost_minor
            );
        }
        text
    }

    fn supplier(&self, item: &str) -> &'static str {
        SUPPLIERS[usize::from(item.as_bytes()[3] % 2)]
    }

    /// Four weeks of received orders, and for most offers one that comes tomorrow.
    fn first_orders(&mut self) -> String {
        let mut text = ORDERS.to_owned();
        for at in 0..self.offers.len() {
            let daily = self.offers[at].daily;
            for week in 1..=4 {
                let (ordered_on, qty) = (self.date - 7 * week - 3, (7.0 * daily).ceil() as i64);
                let po_id = format!("OLD{at}-{week}");
                let expected_on = ordered_on + 3;
                let old = Open { po_id, offer: at, qty, ordered_on, expected_on };
                self.write_order(&mut text, &old, Some(expected_on));
            }
            if self.random.chance(60) {
                let (ordered_on, expected_on) = (self.date - 2, self.date + 1);
                let (po_id, qty) = (format!("OPEN{at}"), (4.0 * daily).ceil() as i64);
                let open = Open { po_id, offer: at, qty, ordered_on, expected_on };
                self.write_order(&mut text, &open, None);
                self.open.push(open);
            }
        }
        text
    }

    fn write_order(&self, text: &mut String, order: &Open, received_on: Option<Day>) {
        let offer = &self.offers[order.offer];
        let supplier = self.supplier(&offer.item);
        let (received, state) = match received_on {
            Some(day) => (day.to_string(), "received"),
            None => (String::new(), "open"),
        };
        let came = if received_on.is_some() { order.qty } else { 0 };
        let _ = writeln!(
            text,
            "{},1,{},{},{supplier},{},{},{received},{},{came},CNY,{state}",
            order.po_id, offer.item, offer.place, order.ordered_on, order.expected_on, order.qty
        );
    }

    /// Purchasing places the lines of tonight's plan: item, place and quantity. Gives the orders'
    /// numbers and their rows.
    pub fn place_orders<'a>(
        &mut self,
        lines: impl Iterator<Item = (&'a str, &'a str, i64)>,
    ) -> (Vec<String>, String) {
        let (mut numbers, mut text) = (Vec::new(), ORDERS.to_owned());
        for (item, place, qty) in lines {
            let of = |offer: &Offer| offer.item == item && offer.place == place;
            let offer = self.offers.iter().position(of).expect("an offer of the plan");
            let (ordered_on, expected_on) = (self.date, self.date + 3);
            let po_id = format!("PO-{ordered_on}-{offer}");
            let open = Open { po_id, offer, qty, ordered_on, expected_on };
            self.write_order(&mut text, &open, None);
            numbers.push(open.po_id.clone());
            self.open.push(open);
        }
        (numbers, text)
    }

    /// One day of sales; of the stock too, where it is a day that passes.
    pub fn sell(&mut self, day: Day, text: &mut String, passes: bool) {
        for offer in &mut self.offers {
            let wanted = self.random.poisson(offer.daily);
            let sold = if passes { wanted.min(offer.on_hand) } else { wanted };
            if passes {
                offer.on_hand -= sold;
            }
            let available = if passes && wanted > sold { 0.6 } else { 1.0 };
            let price = offer.unit_cost_minor * 8 / 5;
            let _ =
                writeln!(text, "{},{},{day},{sold},{price},{available}", offer.item, offer.place);
        }
    }

    /// The day of the night passes: its sales, the count at its end, and the orders that came.
    pub fn pass_a_day(&mut self) -> (String, String, String) {
        let mut sales = SALES.to_owned();
        self.sell(self.date, &mut sales, true);
        let mut orders = ORDERS.to_owned();
        let (came, open): (Vec<Open>, Vec<Open>) =
            self.open.drain(..).partition(|order| order.expected_on <= self.date);
        for order in came {
            self.offers[order.offer].on_hand += order.qty;
            self.write_order(&mut orders, &order, Some(self.date));
        }
        self.open = open;
        let mut stock = STOCK.to_owned();
        for offer in &self.offers {
            let _ =
                writeln!(stock, "{},{},{},{}", offer.item, offer.place, self.date, offer.on_hand);
        }
        self.date += 1;
        (sales, stock, orders)
    }
}

const ORDERS: &str = "po_id,line_no,item_id,location_id,supplier_id,ordered_on,expected_on,\
                      received_on,qty,received_qty,currency,state\n";
const SALES: &str = "item_id,location_id,date,qty,price_minor,available_fraction\n";
const STOCK: &str = "item_id,location_id,date,on_hand\n";

/// Imports a text as a file of its own.
pub async fn import(store: &Store, folder: &Path, table: &str, name: &str, text: &str) {
    let path: PathBuf = folder.join(format!("{table}-{name}.csv"));
    std::fs::write(&path, text).expect("a file is written");
    let table = Table::named(table).expect("an input table");
    let report =
        import_files(store, table, &[path], &Map::default(), &ImportOptions::default(), |_| {})
            .await
            .expect("the import runs");
    assert_eq!(report.refused, None, "{}", table.name);
}
