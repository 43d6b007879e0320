//! Looking further than to the next order, where that pays.

use crate::plan_sku::decide::{Ask, goods_cost};
use crate::plan_sku::input::ItemSupply;
use crate::plan_sku::stage::Stage;
use crate::policy::lookahead::{Lookahead, PeriodMoney};
use crate::policy::order::{Target, UnitMoney};
use crate::policy::projection::{Opening, Shortage};

/// Where this order changes what the next ones should be: sales lost while several orders are on
/// their way, or of goods that expire. Under a service target the paths of one window decide, and of
/// demand that waits the position says all.
pub(super) fn lookahead(
    item: &ItemSupply,
    stage: &Stage,
    ask: &Ask,
    opening: &Opening,
    target: Target,
    money: UnitMoney,
) -> Option<Lookahead> {
    let terms = ask.terms;
    let pipeline = terms.lead_time.quantile(0.5) > terms.review_days;
    let lost = item.shortage == Shortage::Lost;
    let alone = stage.serves.len() == 1 && stage.later == 0 && ask.next.is_none();
    let pays = target == Target::Economics && money.margin_and_penalty > 0.0;
    if !(lost && alone && pays && (pipeline || opening.shelf_life_days.is_some())) {
        return None;
    }
    let cost = goods_cost(item, terms);
    let waste = if opening.perishes() { (money.left_over - cost).max(0.0) } else { 0.0 };
    let money = PeriodMoney {
        unit_cost: cost,
        holding: money.holding_per_day,
        // What is not sold need not be bought.
        shortage: money.margin_and_penalty + cost,
        waste,
        discount: 1.0,
    };
    Some(Lookahead::new(money, item.shortage, terms.review_days))
}

pub(super) fn look_text(item: &ItemSupply, plain: i64, best: i64) -> String {
    let (plain, best) = (item.unit.show(plain), item.unit.show(best));
    format!("Until the next order alone {plain} would pay; with the orders after it {best} do.")
}
