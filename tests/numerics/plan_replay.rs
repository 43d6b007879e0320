//! A warehouse and three shops, replayed day by day under their own plans.

use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{
    ItemSupply, LocationKind, LocationSupply, OpenOrder, PlanConfig, Scratch, plan_item_with,
};
use granary_models::policy::lead_time::LeadTime;
use granary_models::policy::order::Target;

use crate::plan_help::{TODAY, item, location, purchase, transfer};

const SHOPS: usize = 3;
const DAYS: i32 = 300;
const WARM_UP: i32 = 40;

/// A linear congruential generator (Knuth's MMIX constants), high bits.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> f32 {
        let (limit, mut product, mut count) = ((-mean).exp(), 1.0, -1.0);
        while product > limit {
            product *= self.uniform();
            count += 1.0;
        }
        count
    }
}

struct Replay {
    fill: f64,
    /// Mean stock everywhere, in days of demand.
    cover_days: f64,
}

fn replay(target: Target) -> Replay {
    let mut random = Random(11);
    let mut places = vec![location("DC", LocationKind::Dc, 150, vec![purchase(6, 7)])];
    places[0].terms[0].multiple = 24;
    for shop in 0..SHOPS {
        let mut terms = transfer(0, 1, 1);
        terms.multiple = 2;
        places.push(location(&format!("SHOP-{shop}"), LocationKind::Store, 10, vec![terms]));
        let values = (0..256 * 28).map(|_| random.poisson(4.0)).collect();
        places[shop + 1].demand = Some(DemandPaths { paths: 256, horizon: 28, values });
    }
    let mut item = ItemSupply { target: Some(target), ..item(places) };
    let mut scratch = Scratch::default();
    let (mut asked, mut sold, mut stock) = (0.0, 0.0, 0.0);
    for day in 0..DAYS {
        let today = TODAY + day;
        let (plan, findings) = plan_item_with(&mut scratch, &item, today, &PlanConfig::default());
        assert!(findings.iter().all(|(_, f)| f.code.as_str() == "dc_short"), "{findings:?}");
        for line in &plan.lines {
            if let Some(source) = line.source {
                item.locations[source].on_hand -= line.qty;
                assert!(item.locations[source].on_hand >= 0, "oversold on day {day}");
            }
            let po_id = line.reorder_line(&item, today).line_key;
            item.locations[line.location].open_orders.push(OpenOrder {
                po_id,
                line_no: "1".to_owned(),
                qty: line.qty,
                ordered_on: Some(today),
                expected_on: Some(line.expected_on),
                lead_time: LeadTime::fixed(1),
                ..OpenOrder::default()
            });
        }
        for (at, place) in item.locations.iter_mut().enumerate() {
            receive(place, today);
            if at > 0 {
                let wanted = random.poisson(4.0) as i64;
                let served = wanted.min(place.on_hand);
                place.on_hand -= served;
                if day >= WARM_UP {
                    asked += wanted as f64;
                    sold += served as f64;
                }
            }
            if day >= WARM_UP {
                stock += place.on_hand as f64;
            }
        }
    }
    Replay { fill: sold / asked, cover_days: stock / asked }
}

fn receive(place: &mut LocationSupply, today: granary_models::calendar::Day) {
    let there = |order: &OpenOrder| order.expected_on.is_some_and(|day| day <= today);
    place.on_hand += place.open_orders.iter().filter(|o| there(o)).map(|o| o.qty).sum::<i64>();
    place.open_orders.retain(|order| !there(order));
}

#[test]
fn a_network_reaches_its_target_without_drowning_in_stock() {
    // A warehouse that buys for the week between reviews but may order daily is on the safe side.
    for (level, most_cover_days) in [(0.90, 10.0), (0.98, 12.0)] {
        let replay = replay(Target::Fill(level));
        println!("fill {:.4} for {level}, {:.1} days of stock", replay.fill, replay.cover_days);
        assert!(replay.fill >= level - 0.01, "fill {} for {level}", replay.fill);
        assert!(replay.cover_days < most_cover_days, "{} days of stock", replay.cover_days);
    }
}
