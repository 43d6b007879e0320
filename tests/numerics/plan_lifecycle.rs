//! Items that begin, follow others, and end; stock that does not sell.

use granary_models::distribution::DemandPaths;
use granary_models::plan_sku::{
    ExitProposal, ItemStatus, ItemSupply, LocationKind, PlanConfig, plan_item,
};
use granary_models::policy::reason::{codes, recompute};
use granary_models::policy::terms::SupplyKind;
use granary_models::series::Series;

use crate::plan_help::{TODAY, flat, item, location, purchase, transfer};

fn one_shop(on_hand: i64, daily: f32) -> ItemSupply<'static> {
    let mut shop = location("L", LocationKind::Store, on_hand, vec![purchase(3, 7)]);
    shop.demand = flat(daily);
    item(vec![shop])
}

fn ordered(item: &ItemSupply) -> (i64, Vec<(&'static str, i64)>) {
    let (plan, _) = plan_item(item, TODAY, &PlanConfig::default());
    let reason = &plan.locations[0].reason;
    let qty = plan.lines.iter().filter(|line| line.location == 0).map(|line| line.qty).sum();
    assert_eq!(recompute(reason), Some(qty), "{reason:#?}");
    (qty, reason.iter().map(|step| (step.step, step.value)).collect())
}

#[test]
fn what_is_on_presale_is_made_not_ordered() {
    let mut item = one_shop(50, 10.0);
    item.status = ItemStatus::Presale;
    let (qty, reason) = ordered(&item);
    assert_eq!(qty, 0);
    assert!(reason.contains(&(codes::PRESALE, -50)), "{reason:?}");
    // What was made is moved to where it sells.
    item.locations[0].terms = vec![transfer(1, 3, 7)];
    item.locations.push(location("DC", LocationKind::Dc, 80, vec![purchase(5, 7)]));
    assert_eq!(ordered(&item).0, 50);
}

#[test]
fn the_end_is_served_from_what_is_left() {
    let mut item = one_shop(50, 10.0);
    item.status = ItemStatus::PhaseOut;
    item.locations[0].terms = vec![transfer(1, 3, 7)];
    item.locations.push(location("DC", LocationKind::Dc, 30, vec![purchase(5, 7)]));
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    let lines: Vec<_> = plan.lines.iter().map(|l| (l.kind, l.qty)).collect();
    assert_eq!(lines, [(SupplyKind::Transfer, 30)]);
}

#[test]
fn stock_of_the_predecessor_sells_first() {
    for (predecessor, qty) in [(0, 50), (30, 20), (50, 0), (900, 0)] {
        let mut item = one_shop(50, 10.0);
        item.locations[0].predecessor_qty = predecessor;
        let (ours, reason) = ordered(&item);
        assert_eq!(ours, qty, "{predecessor}");
        let step = (codes::PREDECESSOR, -predecessor);
        assert_eq!(reason.contains(&step), predecessor > 0, "{reason:?}");
    }
    let mut item = one_shop(50, 10.0);
    item.locations[0].predecessor_qty = 30;
    let (plan, _) = plan_item(&item, TODAY, &PlanConfig::default());
    // Its own stock is not touched until then.
    assert_eq!(plan.locations[0].projection.p50_without[..5], [50, 50, 50, 40, 30]);
    // The centre counts what stands in its shops, and what it has itself.
    let mut shop = location("SHOP", LocationKind::Store, 10, vec![transfer(0, 1, 2)]);
    shop.demand = flat(10.0);
    let dc = location("DC", LocationKind::Dc, 40, vec![purchase(5, 7)]);
    let mut item = item_of(vec![dc, shop]);
    // 50 are out by day 5, and what is lost then is not made up for.
    assert_eq!(ordered(&item).0, 70);
    item.locations[1].predecessor_qty = 15;
    assert_eq!(ordered(&item).0, 65);
    item.locations[0].predecessor_qty = 20;
    assert_eq!(ordered(&item).0, 45);
}

fn item_of(places: Vec<granary_models::plan_sku::LocationSupply<'static>>) -> ItemSupply<'static> {
    item(places)
}

static IDLE: [f64; 400] = [0.0; 400];
static ALWAYS: [f32; 400] = [1.0; 400];
static NEVER: [f32; 400] = [0.0; 400];

/// Nothing sold in the last `days` days, five a day before.
fn idle_for(days: usize) -> Series<'static> {
    let mut sold = vec![5.0; 400];
    sold[400 - days..].fill(0.0);
    Series { start: TODAY - 400, sold: sold.leak(), available: &ALWAYS }
}

/// One unit a week.
fn weekly() -> Option<DemandPaths> {
    let values = (0..8 * 28).map(|at| if at % 7 == 3 { 1.0 } else { 0.0 }).collect();
    Some(DemandPaths { paths: 8, horizon: 28, values })
}

/// Fifty on hand of what nobody has bought for 200 days.
fn dead() -> ItemSupply<'static> {
    let mut item = one_shop(50, 0.0);
    item.locations[0].history = Some(idle_for(200));
    item
}

fn check(
    name: &str,
    config: &PlanConfig,
    item: &ItemSupply,
    expected: Option<(i64, ExitProposal, i64)>,
) {
    let (plan, _) = plan_item(item, TODAY, config);
    let ours = plan.exits.first().map(|e| (e.qty, e.proposal, e.expected_recovery_minor));
    assert_eq!(ours, expected, "{name}: {:#?}", plan.exits);
    for exit in &plan.exits {
        let value = item.unit.value_minor(exit.qty, item.unit_cost_minor);
        assert_eq!(exit.value_minor, value, "{name}");
    }
}

/// Of a unit at a cost of 100.
const PRICE: f64 = 100.0 / 0.7;
const HOLDING: f64 = 100.0 * 0.25 / 365.0;

#[test]
fn stock_that_does_not_sell_is_to_go() {
    let config = PlanConfig::default();
    check("dead, and nobody wants it", &config, &dead(), Some((50, ExitProposal::WriteOff, 0)));
    let disposal = PlanConfig { disposal_cost: 0.1, ..config.clone() };
    let written_off = Some((50, ExitProposal::WriteOff, -500));
    check("getting rid of it costs", &disposal, &dead(), written_off);
    let returns = PlanConfig { supplier_return_share: 0.5, ..config.clone() };
    check("it may go back", &returns, &dead(), Some((50, ExitProposal::Return, 2_500)));

    let mut elsewhere = dead();
    let mut lane = transfer(0, 1, 1);
    (lane.priority, lane.unit_cost_minor, lane.fixed_cost_minor) = (2, 5, 100);
    let mut other = location("M", LocationKind::Online, 200, vec![purchase(3, 7), lane]);
    other.demand = flat(10.0);
    elsewhere.locations.push(other);
    // 200 sell before them.
    let waits = (200.0 + 25.0) / 10.0;
    let money = 50.0 * (PRICE - 5.0 - waits * HOLDING) - 100.0;
    let moved = Some((50, ExitProposal::Transfer { to: 1 }, money.round() as i64));
    check("it sells elsewhere", &config, &elsewhere, moved);
    // What is moved there tonight is no longer here to be rid of.
    elsewhere.locations[1].on_hand = 20;
    let (plan, _) = plan_item(&elsewhere, TODAY, &config);
    let moved: i64 = plan.lines.iter().filter(|l| l.source == Some(0)).map(|l| l.qty).sum();
    assert_eq!((moved, plan.exits[0].qty), (10, 40));
}

#[test]
fn slow_stock_is_marked_down_by_its_elasticity() {
    let slow = |on_hand| {
        let mut item = one_shop(on_hand, 0.0);
        item.locations[0].demand = weekly();
        item.locations[0].history = Some(idle_for(5));
        item
    };
    // 52 sell in a year, and 147 of 200 do not. Demand at 70% off is 0.3^-2 times as high.
    let daily = 1.0 / 7.0;
    let sold = daily * 90.0 / 0.09;
    let money = PRICE * (0.3 * sold - daily * 90.0) - 147.0 * 45.0 * HOLDING;
    let marked_down = Some((147, ExitProposal::Markdown { depth: 0.7 }, money.round() as i64));
    check("elastic", &PlanConfig::default(), &slow(200), marked_down);
    let stiff = PlanConfig { markdown_elasticity: -0.8, ..PlanConfig::default() };
    check("inelastic", &stiff, &slow(200), Some((147, ExitProposal::WriteOff, 0)));
    check("less than a year of it", &PlanConfig::default(), &slow(52), None);
    // Half of it has to stand on the shelf.
    let mut shelf = slow(200);
    shelf.locations[0].presentation_min_qty = 147;
    check("the shelf", &PlanConfig::default(), &shelf, None);
    let mut perishable = slow(20);
    perishable.shelf_life_days = Some(70);
    let (plan, _) = plan_item(&perishable, TODAY, &PlanConfig::default());
    assert_eq!(plan.exits[0].qty, 10, "{:#?}", plan.exits);
}

#[test]
fn what_still_may_sell_stays() {
    let config = PlanConfig::default();
    let with = |change: &dyn Fn(&mut ItemSupply)| {
        let mut item = dead();
        change(&mut item);
        item
    };
    let sold = with(&|i| {
        i.locations[0].history = Some(idle_for(179));
        i.locations[0].demand = weekly();
    });
    check("sold half a year ago", &config, &sold, None);
    let young = Series { start: TODAY - 60, sold: &IDLE[..60], available: &ALWAYS[..60] };
    check("young", &config, &with(&|i| i.locations[0].history = Some(young)), None);
    let empty = Series { start: TODAY - 400, sold: &IDLE, available: &NEVER };
    let never = with(&|i| {
        i.locations[0].history = Some(empty);
        i.locations[0].demand = weekly();
    });
    check("there was nothing to sell", &config, &never, None);
    let season = with(&|i| i.locations[0].demand = flat(10.0));
    check("its season begins", &config, &season, None);
    check("no stock", &config, &with(&|i| i.locations[0].on_hand = 0), None);
    check("no history", &config, &with(&|i| i.locations[0].history = None), None);
    let ending = with(&|i| {
        i.locations[0].history = None;
        i.locations[0].demand = None;
        i.status = ItemStatus::Discontinued;
    });
    let written_off = Some((50, ExitProposal::WriteOff, 0));
    check("it ends without a forecast", &config, &ending, written_off);
}

#[test]
fn exit_settings_are_checked() {
    for config in [
        PlanConfig { markdown_elasticity: 0.0, ..PlanConfig::default() },
        PlanConfig { markdown_elasticity: f64::NAN, ..PlanConfig::default() },
        PlanConfig { supplier_return_share: 1.5, ..PlanConfig::default() },
        PlanConfig { exception_min_minor: -1, ..PlanConfig::default() },
    ] {
        assert!(config.check().is_err(), "{config:?}");
    }
}
