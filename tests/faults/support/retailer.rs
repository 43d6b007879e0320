//! A retailer small enough for a night of a fraction of a second: twelve items at three shops, with
//! demand that is smooth, intermittent, new, sold out or gone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use granary_models::calendar::Day;

use super::Random;

pub const ITEMS: usize = 12;
pub const SHOPS: usize = 3;
const DAYS: i32 = 120;

/// The two nights: both have their sales when the retailer is written.
pub const FIRST_NIGHT: Day = Day(20_150);
pub const SECOND_NIGHT: Day = Day(20_151);

/// Two jobs on the same data: one fits every night anew, one follows the night before.
pub const JOBS: [&str; 2] = ["refit", "follow"];

/// Writes `NAME.csv` per input table and gives table and file in an order in which they can be
/// imported.
pub fn write(folder: &Path, seed: u64) -> Vec<(&'static str, PathBuf)> {
    let mut random = Random(seed);
    let tables = [
        ("location", locations()),
        ("supplier", "supplier_id,name,currency\nacme,Acme,CNY\nbest,Best,CNY\n".to_owned()),
        ("item", items()),
        ("supply_terms", supply_terms(&mut random)),
        ("sales", sales(&mut random, SECOND_NIGHT - DAYS, SECOND_NIGHT)),
        ("stock", stock(&mut random)),
        ("purchase_order", orders(&mut random)),
        ("promotion", promotions()),
        ("calendar_event", events()),
    ];
    tables
        .into_iter()
        .map(|(table, text)| {
            let path = folder.join(format!("{table}.csv"));
            std::fs::write(&path, text).expect("a file");
            (table, path)
        })
        .collect()
}

/// Sales of days to come, for an import of their own.
pub fn write_more_sales(path: &Path, seed: u64) {
    let mut random = Random(seed);
    let text = sales(&mut random, SECOND_NIGHT, SECOND_NIGHT + 30);
    std::fs::write(path, text).expect("a file");
}

/// Writes the jobs of [`JOBS`].
pub fn write_jobs(folder: &Path) {
    for job in JOBS {
        let refit_days = if job == "refit" { 1 } else { 7 };
        let text = format!(
            "name = \"{job}\"\nkind = \"nightly\"\n\n\
             [forecast]\nhorizon_days = 14\nrefit_days = {refit_days}\npaths = 64\n\n\
             [policy]\nservice = {{ fill = 0.95 }}\n\n\
             [defaults]\nlead_time_days = 5\nreview_days = 7\nmoq = 1\nmultiple = 1\n\
             currency = \"CNY\"\n"
        );
        std::fs::write(folder.join(format!("{job}.toml")), text).expect("a job");
    }
}

fn locations() -> String {
    let mut text = "location_id,name,kind,region\nDC,Centre,dc,CN-SOUTH\n".to_owned();
    for shop in 1..=SHOPS {
        let region = if shop == 3 { "CN-NORTH" } else { "CN-SOUTH" };
        let _ = writeln!(text, "S{shop},Shop {shop},store,{region}");
    }
    text
}

fn items() -> String {
    let mut text =
        "item_id,name,category,unit_cost_minor,unit_price_minor,currency,shelf_life_days\n"
            .to_owned();
    for item in 0..ITEMS {
        let category = ["drinks", "snacks", "fresh"][item % 3];
        let shelf_life = if item % 3 == 2 { "9" } else { "" };
        let cost = 120 + 70 * item;
        let _ = writeln!(
            text,
            "i{item:03},Item {item},{category},{cost},{},CNY,{shelf_life}",
            2 * cost
        );
    }
    text
}

/// Shops get a third of the items from the centre, and everything else from suppliers.
fn supply_terms(random: &mut Random) -> String {
    let mut text = "item_id,location_id,supplier_id,source_location_id,kind,lead_time_days,\
                    review_days,moq,multiple,pack_uom,unit_cost_minor,currency\n"
        .to_owned();
    for item in 0..ITEMS {
        let cost = 120 + 70 * item;
        let supplier = ["acme", "best"][item % 2];
        let pack = [1, 6, 12][random.below(3) as usize];
        let uom = if pack == 1 { "" } else { "case" };
        let purchase = |location: &str| {
            format!(
                "i{item:03},{location},{supplier},,purchase,5,7,{pack},{pack},{uom},{cost},CNY\n"
            )
        };
        if item % 4 == 0 {
            text.push_str(&purchase("DC"));
        }
        for shop in 1..=SHOPS {
            if item % 4 == 0 {
                let _ = writeln!(text, "i{item:03},S{shop},,DC,transfer,1,3,1,1,,{cost},CNY");
            } else {
                text.push_str(&purchase(&format!("S{shop}")));
            }
        }
    }
    text
}

/// Days from `from` up to but without `to`.
fn sales(random: &mut Random, from: Day, to: Day) -> String {
    let mut text =
        "item_id,location_id,date,qty,price_minor,promo_depth,available_fraction\n".to_owned();
    for item in 0..ITEMS {
        for shop in 1..=SHOPS {
            let level = 1.0 + 3.0 * (item % 5) as f64 * (0.6 + 0.4 * shop as f64);
            for day in from.until(to) {
                let age = day - (SECOND_NIGHT - DAYS);
                // One item is new, one stopped selling, two sell now and then.
                let sold = match item {
                    5 if age < DAYS - 12 => continue,
                    7 if age > 50 => 0.0,
                    8 | 11 if random.unit() > 0.15 => 0.0,
                    _ => {
                        let week = if day.weekday() >= 5 { 1.5 } else { 0.9 };
                        level * week * (0.4 + 1.2 * random.unit())
                    }
                };
                let promoted = item % 3 == 1 && age.rem_euclid(40) < 5;
                let sold = if promoted { 1.8 * sold } else { sold };
                let available = if random.unit() < 0.05 { 0.4 } else { 1.0 };
                let (qty, price) = ((sold * available).round(), 2 * (120 + 70 * item));
                let depth = if promoted { 0.2 } else { 0.0 };
                let _ =
                    writeln!(text, "i{item:03},S{shop},{day},{qty},{price},{depth},{available}");
            }
        }
    }
    text
}

fn stock(random: &mut Random) -> String {
    let mut text = "item_id,location_id,date,on_hand,reserved,backordered\n".to_owned();
    for day in [FIRST_NIGHT + -1, SECOND_NIGHT + -1] {
        for item in 0..ITEMS {
            for shop in 1..=SHOPS {
                let _ = writeln!(text, "i{item:03},S{shop},{day},{},0,0", random.below(60));
            }
            if item % 4 == 0 {
                let _ = writeln!(text, "i{item:03},DC,{day},{},0,0", 40 + random.below(200));
            }
        }
    }
    text
}

/// Received orders, which teach lead times, and a few that are open.
fn orders(random: &mut Random) -> String {
    let mut text = "po_id,line_no,item_id,location_id,supplier_id,ordered_on,expected_on,\
                    received_on,qty,received_qty,state\n"
        .to_owned();
    for item in (0..ITEMS).filter(|item| item % 4 != 0) {
        let supplier = ["acme", "best"][item % 2];
        for nth in 0..4 {
            let ordered = FIRST_NIGHT - (80 - 20 * nth);
            let took = 3 + random.below(6) as i32;
            let expected = ordered + 5;
            let qty = 12 * (1 + random.below(4));
            let open = nth == 3 && item % 2 == 0;
            let (ordered, expected) =
                if open { (FIRST_NIGHT + -2, FIRST_NIGHT + 3) } else { (ordered, expected) };
            let (received_on, received, state) = if open {
                (String::new(), 0, "open")
            } else {
                ((ordered + took).to_string(), qty, "received")
            };
            let shop = 1 + nth % 3;
            let _ = writeln!(
                text,
                "po-{item}-{nth},1,i{item:03},S{shop},{supplier},{ordered},{expected},\
                 {received_on},{qty},{received},{state}"
            );
        }
    }
    text
}

fn promotions() -> String {
    let (from, to) = (SECOND_NIGHT + 3, SECOND_NIGHT + 7);
    format!(
        "promotion_id,item_id,category,location_id,starts_on,ends_on,depth\n\
         week,i001,,,{from},{to},0.2\n"
    )
}

fn events() -> String {
    let mut text = "event_id,name,kind,region,starts_on,ends_on,lead_days,lag_days\n".to_owned();
    for (nth, start) in [SECOND_NIGHT - 90, SECOND_NIGHT - 40, SECOND_NIGHT + 5].iter().enumerate()
    {
        let _ = writeln!(text, "fair-{nth},fair,festival,,{start},{},1,1", *start + 1);
    }
    text
}
