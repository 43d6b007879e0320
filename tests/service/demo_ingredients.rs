//! Everything that the demo promises is in its smallest size, measured from the files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use granary_models::calendar::Day;

use super::{SMALL, demo, number};

/// `measured` of an ingredient must lie in `range`.
fn check(ingredient: &str, measured: f64, range: impl std::ops::RangeBounds<f64>) {
    assert!(range.contains(&measured), "{ingredient}: measured {measured}");
}

fn categories() -> HashMap<&'static str, &'static str> {
    let items = demo().table("item").select(["item_id", "category"]);
    items.into_iter().map(|[item, category]| (item, category)).collect()
}

/// Units sold per day of some categories at the locations that `at` likes.
fn sold_by_day(chosen: &[&str], at: fn(&str) -> bool) -> BTreeMap<Day, f64> {
    let of = categories();
    let mut by_day = BTreeMap::new();
    for day in (SMALL.business_date - SMALL.days as i32).until(SMALL.business_date) {
        by_day.insert(day, 0.0);
    }
    let columns = ["item_id", "location_id", "date", "qty"];
    for [item, location, date, qty] in demo().table("sales").select(columns) {
        if chosen.contains(&of[item]) && at(location) {
            *by_day.entry(date.parse().expect("a date")).or_default() += number(qty);
        }
    }
    by_day
}

fn day(text: &str) -> Day {
    text.parse().expect("a date")
}

fn mean(sold: &BTreeMap<Day, f64>, wanted: impl Fn(Day) -> bool) -> f64 {
    let days: Vec<f64> =
        sold.iter().filter(|(day, _)| wanted(**day)).map(|(_, qty)| *qty).collect();
    assert!(!days.is_empty(), "no such day");
    days.iter().sum::<f64>() / days.len() as f64
}

/// Mean sales of the first window over those of the second, both ends included.
fn ratio(sold: &BTreeMap<Day, f64>, of: (&str, &str), over: (&str, &str)) -> f64 {
    let within = |(from, to): (&str, &str)| {
        let (from, to) = (day(from), day(to));
        mean(sold, |day| (from..=to).contains(&day))
    };
    within(of) / within(over)
}

fn everywhere(_: &str) -> bool {
    true
}

#[test]
fn the_calendar_moves_sales() {
    let dairy = sold_by_day(&["dairy"], everywhere);
    let weekend = mean(&dairy, |day| day.weekday() >= 5) / mean(&dairy, |day| day.weekday() < 4);
    check("weekly season of dairy", weekend, 1.15..1.7);
    let parts = sold_by_day(&["spare-parts"], everywhere);
    let weekend = mean(&parts, |day| day.weekday() >= 5) / mean(&parts, |day| day.weekday() < 4);
    check("no weekly season of spare parts", weekend, 0.4..1.9);

    let stationery = sold_by_day(&["stationery"], everywhere);
    let school = ratio(&stationery, ("2025-08-10", "2025-09-20"), ("2025-02-10", "2025-03-25"));
    check("annual season of stationery", school, 1.7..);

    let october = ("2024-10-09", "2024-10-29");
    let festive = ["cosmetics", "apparel", "footwear", "toys", "cleaning", "personal-care"];
    let online = sold_by_day(&festive, |place| place == "ONLINE-CN");
    check("Double-11", ratio(&online, ("2024-11-09", "2024-11-11"), october), 3.0..);
    check("before Double-11", ratio(&online, ("2024-11-04", "2024-11-08"), october), 1.1..);
    check("after Double-11", ratio(&online, ("2024-11-12", "2024-11-16"), october), ..0.8);
    let may = ("2025-05-08", "2025-05-28");
    check("618", ratio(&online, ("2025-06-16", "2025-06-18"), may), 2.0..);

    let snacks = sold_by_day(&["snacks"], |place| place.starts_with("S-"));
    let feast = ratio(&snacks, ("2025-01-22", "2025-01-27"), ("2025-03-01", "2025-03-21"));
    check("before the Spring Festival", feast, 1.3..);
    // The tournament of 23 May to 5 June, beginning 150 days before the business date.
    let cup = ratio(&snacks, ("2025-05-23", "2025-06-05"), ("2025-05-06", "2025-05-19"));
    check("tournament", cup, 1.3..);
    let cleaning = sold_by_day(&["cleaning"], |place| place.starts_with("S-"));
    let no_cup = ratio(&cleaning, ("2025-05-23", "2025-06-05"), ("2025-05-06", "2025-05-19"));
    check("tournament without an effect on cleaning", no_cup, 0.6..1.4);
}

#[test]
fn the_weather_moves_sales() {
    let weather = demo().table("weather").select(["region", "date", "kind", "precipitation_mm"]);
    let rain: HashMap<Day, f64> = weather
        .iter()
        .filter(|[region, _, kind, _]| *region == "CN-SOUTH" && *kind == "observed")
        .map(|[_, date, _, mm]| (day(date), number(mm)))
        .collect();
    let southern = |place: &str| ["S-GZ-01", "S-SH-01", "S-HZ-01", "ONLINE-CN"].contains(&place);
    let umbrellas = sold_by_day(&["umbrellas"], southern);
    let wet = mean(&umbrellas, |day| rain[&day] > 5.0) / mean(&umbrellas, |day| rain[&day] == 0.0);
    check("umbrellas in the rain", wet, 2.0..);

    let dehumidifiers = sold_by_day(&["dehumidifiers"], everywhere);
    let plum_rains = ("2025-06-01", "2025-07-15");
    let season = ratio(&dehumidifiers, plum_rains, ("2024-12-01", "2025-01-15"));
    check("dehumidifiers in the plum rains", season, 2.5..);
    let north = mean(&sold_by_day(&["dehumidifiers"], |p| p == "S-BJ-01"), |_| true);
    check("dehumidifiers in the north", north, 0.0..=0.0);

    let heaters = sold_by_day(&["humidifiers-heaters"], everywhere);
    let season = ratio(&heaters, ("2024-12-10", "2025-01-20"), ("2025-06-01", "2025-07-15"));
    check("heaters in the northern winter", season, 2.0..);
    let south = mean(&sold_by_day(&["humidifiers-heaters"], |p| p == "S-GZ-01"), |_| true);
    check("heaters in the south", south, 0.0..=0.0);

    let forecast = weather.iter().filter(|[_, _, kind, _]| *kind == "forecast");
    check("days of weather forecast", forecast.count() as f64, 30.0..=30.0);
    let known = weather.iter().filter(|[_, _, kind, _]| *kind == "observed");
    let latest = known.map(|[_, date, _, _]| day(date)).max();
    assert_eq!(latest, Some(SMALL.business_date - 1), "no weather is observed before its day");
}

#[test]
fn promotions_and_prices_move_sales() {
    let mut by_item: HashMap<&str, [(f64, f64); 2]> = HashMap::new();
    let columns = ["item_id", "qty", "promo_depth", "available_fraction"];
    for [item, qty, depth, available] in demo().table("sales").select(columns) {
        let deep = number(depth) >= 0.3;
        if number(available) >= 1.0 && (deep || number(depth) == 0.0) {
            let (sum, days) = &mut by_item.entry(item).or_default()[usize::from(deep)];
            *sum += number(qty);
            *days += 1.0;
        }
    }
    let lifts: Vec<f64> = by_item
        .values()
        .filter(|[plain, promo]| plain.1 > 100.0 && promo.1 > 10.0 && plain.0 > 300.0)
        .map(|[plain, promo]| (promo.0 / promo.1) / (plain.0 / plain.1))
        .collect();
    check("items with deep promotions", lifts.len() as f64, 5.0..);
    let lift = lifts.iter().sum::<f64>() / lifts.len() as f64;
    check("uplift of deep promotions", lift, 1.5..5.0);

    let today = SMALL.business_date.to_string();
    let promotions = demo().table("promotion").select(["item_id", "starts_on", "kind"]);
    let ahead = promotions.iter().filter(|[_, starts_on, _]| *starts_on >= today.as_str());
    check("promotions ahead", ahead.count() as f64, 5.0..);
    let whole = promotions.iter().filter(|[item, ..]| item.is_empty());
    check("promotions of whole categories", whole.count() as f64, 10.0..);
    let prices = demo().table("price_plan").select(["item_id", "starts_on"]);
    let ahead = prices.iter().filter(|[_, starts_on]| *starts_on >= today.as_str());
    check("price changes ahead", ahead.count() as f64, 1.0..);
    check("price changes", (prices.len() - SMALL.items) as f64, 10.0..);
}

#[test]
fn there_are_launches_and_a_small_batch_to_make() {
    let today = SMALL.business_date;
    let mut sold: HashMap<&str, f64> = HashMap::new();
    for [item, qty] in demo().table("sales").select(["item_id", "qty"]) {
        *sold.entry(item).or_default() += number(qty);
    }
    let mut seen: HashMap<&str, (f64, f64)> = HashMap::new();
    for [item, views, carts] in demo().table("behaviour").select(["item_id", "views", "carts"]) {
        let sum = seen.entry(item).or_default();
        *sum = (sum.0 + number(views), sum.1 + number(carts));
    }
    let log = demo().table("event_log").select(["shopper_hash", "item_id", "event"]);
    let logged: BTreeSet<&str> = log.iter().map(|[_, item, _]| *item).collect();
    let (mut new, mut launching, mut presale) = (0.0, 0.0, 0.0);
    for [item, launched_on, status] in
        demo().table("item").select(["item_id", "launched_on", "status"])
    {
        let Ok(launch) = launched_on.parse::<Day>() else { continue };
        let (views, carts) = seen.get(item).copied().unwrap_or_default();
        match status {
            "presale" => presale += 1.0,
            _ if launch > today => {
                launching += 1.0;
                check("views before the launch", views, 20.0..);
                check("carts before the launch", carts, 1.0..);
                check("sales before the launch", sold.get(item).copied().unwrap_or(0.0), ..=0.0);
                assert!(logged.contains(item), "{item} is in no shopper's log");
            }
            _ if today - launch <= 56 => {
                new += 1.0;
                check("sales of a new item", sold.get(item).copied().unwrap_or(0.0), 1.0..);
            }
            _ => {}
        }
    }
    check("new items", new, 3.0..);
    check("items launched within days", launching, 2.0..);
    check("items on pre-sale", presale, 2.0..);
    let reserved = demo().table("presale").select(["qty", "promised_on"]);
    check("pre-sold units", reserved.iter().map(|[qty, _]| number(qty)).sum(), 10.0..);
    assert!(reserved.iter().all(|[_, promised_on]| day(promised_on) > today));
    for event in ["view", "cart", "favourite", "buy"] {
        let count = log.iter().filter(|[_, _, logged]| *logged == event).count();
        check(event, count as f64, 100.0..);
    }
}

#[test]
fn demand_is_slow_lumpy_and_sent_back() {
    let mut series: BTreeMap<(&str, &str), (f64, f64)> = BTreeMap::new();
    let mut returned: HashMap<&str, (f64, f64)> = HashMap::new();
    let of = categories();
    let columns = ["item_id", "location_id", "qty", "returned_qty"];
    for [item, location, qty, back] in demo().table("sales").select(columns) {
        let (sum, days) = series.entry((item, location)).or_default();
        *sum += number(qty);
        *days += f64::from(u8::from(number(qty) > 0.0));
        let share = returned.entry(of[item]).or_default();
        *share = (share.0 + number(back), share.1 + number(qty));
    }
    let days = SMALL.days as f64;
    let slow = series.values().filter(|(sum, _)| *sum > 0.0 && *sum < 0.1 * days);
    check("slow series", slow.count() as f64, 10.0..);
    let lumpy = series.values().filter(|(sum, sale_days)| {
        *sale_days > 3.0 && *sale_days < 0.3 * days && *sum > 3.0 * sale_days
    });
    check("lumpy series", lumpy.count() as f64, 3.0..);
    let rate = |category: &str| returned[category].0 / returned[category].1;
    check("returns of apparel", rate("apparel"), 0.12..0.24);
    check("returns of rice and noodles", rate("rice-noodles"), 0.0001..0.01);
}

#[test]
fn places_and_terms_are_all_there() {
    let locations = demo().table("location").select(["location_id", "kind", "region"]);
    let count = |kind: &str, region: &str| {
        let found = locations.iter().filter(|[_, k, r]| *k == kind && r.starts_with(region));
        found.count() as f64
    };
    check("distribution centres", count("dc", "CN"), 2.0..=2.0);
    check("Chinese stores", count("store", "CN"), 6.0..=6.0);
    check("American outlet", count("store", "US"), 1.0..=1.0);
    check("online shop", count("online", "CN"), 1.0..=1.0);
    check("backup warehouse", count("backup", ""), 1.0..=1.0);
    check("maker", count("maker", ""), 1.0..=1.0);
    let capacity = demo().table("location").select(["kind", "capacity_qty"]);
    assert!(capacity.iter().all(|[kind, qty]| *kind != "dc" || number(qty) > 0.0));

    let terms = demo().table("supply_terms").select([
        "kind",
        "moq",
        "multiple",
        "price_breaks",
        "source_location_id",
        "shelf_life_days",
    ]);
    let terms_with =
        |test: &dyn Fn(&[&str; 6]) -> bool| terms.iter().filter(|row| test(row)).count() as f64;
    check("purchases", terms_with(&|[kind, ..]| *kind == "purchase"), 60.0..);
    check("transfers", terms_with(&|[kind, ..]| *kind == "transfer"), 60.0..);
    check("made to order", terms_with(&|[kind, ..]| *kind == "produce"), 2.0..);
    check("MOQs", terms_with(&|[_, moq, ..]| number(moq) > 1.0), 40.0..);
    check("packs", terms_with(&|[_, _, multiple, ..]| number(multiple) > 1.0), 40.0..);
    check("price breaks", terms_with(&|row| row[3].starts_with("[[1,")), 10.0..);
    check("terms out of the backup", terms_with(&|row| row[4] == "BACKUP-EAST"), 1.0..);
    check("perishables", terms_with(&|row| !row[5].is_empty()), 10.0..);
    let weighed = demo().table("item").select(["base_uom", "qty_decimals"]);
    check("weighed goods", weighed.iter().filter(|row| **row == ["kg", "3"]).count() as f64, 1.0..);
    let ids = demo().table("item").select(["item_id"]);
    check("leading zeros", ids.iter().filter(|[id]| id.starts_with("00")).count() as f64, 1.0..);
    check("suppliers", demo().table("supplier").rows.len() as f64, 12.0..);
}

#[test]
fn stock_and_orders_have_their_troubles() {
    let today = SMALL.business_date.to_string();
    let orders = demo().table("purchase_order").select([
        "supplier_id",
        "ordered_on",
        "expected_on",
        "received_on",
        "state",
    ]);
    let open = orders.iter().filter(|row| !row[0].is_empty() && row[4] == "open");
    check("open purchases", open.clone().count() as f64, 20.0..);
    check("late purchases", open.filter(|row| row[2] < today.as_str()).count() as f64, 2.0..);
    let mut spread: HashMap<&str, BTreeSet<i32>> = HashMap::new();
    for [supplier, ordered_on, _, received_on, state] in &orders {
        if !supplier.is_empty() && *state == "received" {
            spread.entry(supplier).or_default().insert(day(received_on) - day(ordered_on));
        }
    }
    let random = spread.values().filter(|days| days.len() >= 5).count();
    check("suppliers with random lead times", random as f64, 5.0..);

    let available = demo().table("sales").select(["available_fraction"]);
    let out = available.iter().filter(|[share]| number(share) == 0.0).count();
    let part = available.iter().filter(|[share]| number(share) > 0.0 && number(share) < 1.0);
    check("days out of stock", out as f64, 200.0..);
    check("days partly out of stock", part.count() as f64, 200.0..);
    let stock = demo().table("stock").select(["location_id", "reserved", "backordered"]);
    let sum = |column: usize| stock.iter().map(|row| number(row[column])).sum::<f64>();
    check("reserved units", sum(1), 10.0..);
    check("backordered units", sum(2), 1.0..);
    let backup = stock.iter().filter(|row| row[0] == "BACKUP-EAST").count();
    check("items in the backup", backup as f64, 1.0..);
}

#[test]
fn the_calendar_of_the_demo_has_every_kind_of_event() {
    let events = demo().table("calendar_event").select(["name", "kind", "starts_on"]);
    let today = SMALL.business_date.to_string();
    for name in [
        "spring-festival",
        "qingming",
        "labour-day",
        "dragon-boat",
        "mid-autumn",
        "national-day",
        "double-11",
        "618",
        "double-12",
        "workday",
        "thanksgiving",
        "black-friday",
        "christmas",
        "independence-day",
        "football-cup",
        "spring-festival-shutdown",
    ] {
        let times = events.iter().filter(|[event, ..]| *event == name);
        check(name, times.clone().count() as f64, 2.0..);
        let past = times.clone().filter(|row| row[2] < today.as_str()).count();
        check(&format!("{name}, past"), past as f64, 1.0..);
        // Next year's make-up workdays are announced like any other.
        let coming = times.filter(|row| row[2] >= today.as_str()).count();
        check(&format!("{name}, coming"), coming as f64, 1.0..);
    }
    let shutdowns = demo().table("calendar_event").select(["kind", "supplier_id"]);
    assert!(shutdowns.iter().all(|[kind, supplier]| (*kind == "shutdown") != supplier.is_empty()));
}
