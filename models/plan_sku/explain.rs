//! A decision in words: the sum behind the need, and what calendars do to it.

use crate::calendar::Day;
use crate::finding::{Code, Finding};
use crate::plan_sku::input::ItemSupply;
use crate::plan_sku::stage::{Scratch, Stage};
use crate::policy::order::{RawOrder, Target, mean};
use crate::policy::reason::{Reason, codes};
use crate::policy::terms::{ClosedWindow, SupplyTerms};

/// The need as a sum whose terms are means over the paths; what the target asks beyond them is the
/// safety stock.
pub(super) fn explain_need(
    reason: &mut Reason,
    item: &ItemSupply,
    stage: &Stage,
    scratch: &Scratch,
    target: Target,
    raw: RawOrder,
    standing: i64,
) {
    let lack = &scratch.needs;
    let (arrive, until) = scratch.window.means();
    let show = |qty: i64| item.unit.show(qty);
    let whole = |values: &[f64]| mean(values).round() as i64;
    reason.fact(
        codes::PROTECTION_INTERVAL,
        until.round() as i64,
        format!("An order of today arrives in {arrive:.1} days, the next in {until:.1} days."),
    );
    reason.fact(
        codes::SERVICE_TARGET,
        target.basis_points(),
        format!("The target is {}.", target.show()),
    );
    let demand = whole(&lack.demand_until);
    let text = format!("{} are expected to be asked for until then.", show(demand));
    reason.term(codes::EXPECTED_DEMAND, demand, text);
    let lost = whole(&lack.lost_before);
    reason.change(codes::LOST_BEFORE_ARRIVAL, -lost, || {
        format!("{} of it will be lost before any order can arrive.", show(lost))
    });
    let on_hand = stage.on_hand;
    reason.term(codes::ON_HAND, -on_hand, format!("{} are on hand.", show(on_hand)));
    reason.change(codes::CHILD_STOCK, -stage.child_stock, || {
        format!("{} are at the locations it supplies or draws on.", show(stage.child_stock))
    });
    stage.standing.explain_predecessor(reason, item);
    reason.change(codes::RESERVED, stage.reserved, || {
        format!("{} of the stock are reserved.", show(stage.reserved))
    });
    reason.change(codes::BACKORDERED, stage.backordered, || {
        format!("{} are owed to shoppers.", show(stage.backordered))
    });
    let expiring = whole(&lack.wasted_until);
    reason.change(codes::EXPIRING, expiring, || {
        format!("{} of it will expire unsold before then.", show(expiring))
    });
    let returned = scratch.returned.round() as i64;
    reason.change(codes::RETURNS, -returned, || {
        format!("{} come back from shoppers before then and can be sold again.", show(returned))
    });
    let received = (mean(&lack.received_until) - scratch.returned).round() as i64;
    let on_order = stage.on_order();
    reason.change(codes::OPEN_ORDERS, -received, || {
        format!("{} of {} on order arrive before then.", show(received), show(on_order))
    });
    let balance = raw.qty - reason.value();
    if raw.qty > 0 {
        let text = format!("{} of safety stock reach the target.", show(balance));
        reason.term(codes::SAFETY_STOCK, balance, text);
    } else {
        let text =
            format!("The target is met without an order, with {} to spare.", show(raw.spare));
        reason.term(codes::SPARE, balance, text);
    }
    stage.standing.explain(reason, item, standing);
    reason.sum(codes::NET_NEED, |net| format!("Net need: {}.", show(net)));
}

/// What the calendars do to the order, which leaves on `order_on` and lasts until `last`.
pub(super) fn explain_calendar(
    reason: &mut Reason,
    found: &mut Vec<Finding>,
    terms: &SupplyTerms,
    receiving: &[ClosedWindow],
    (today, order_on, last): (Day, Day, Day),
) {
    let shut = |windows: &[ClosedWindow]| {
        windows.iter().find(|w| w.from <= w.to && w.from <= last && w.to >= today).copied()
    };
    let days = |window: ClosedWindow| i64::from(window.to - window.from) + 1;
    let supplier = &terms.supplier_id;
    let late = order_on > today;
    if let Some(window) = shut(&terms.closed) {
        let ClosedWindow { from, to } = window;
        let text = if late {
            format!(
                "Supplier {supplier} is closed from {from} to {to}: the order leaves on {order_on}."
            )
        } else {
            format!(
                "Supplier {supplier} is closed from {from} to {to}: the order has to last over it."
            )
        };
        found.push(Finding::new(Code::SupplierClosed, text.clone()));
        reason.fact(codes::CLOSED, days(window), text);
    }
    if let Some(window) = shut(receiving) {
        let ClosedWindow { from, to } = window;
        let text = format!(
            "Nothing is received from {from} to {to}: the order has to last until it is again."
        );
        found.push(Finding::new(Code::ReceivingClosed, text.clone()));
        reason.fact(codes::CLOSED, days(window), text);
    }
    let every_day = terms.order_weekdays == [true; 7];
    if late && (!every_day || terms.misses_cut_off) {
        let cut = if terms.misses_cut_off { "Today's cut-off is missed. " } else { "" };
        let text = if every_day {
            format!("{cut}The order leaves on {order_on}.")
        } else {
            let names = order_days_named(terms.order_weekdays);
            format!("{cut}Orders leave on {names}: this one on {order_on}.")
        };
        reason.fact(codes::ORDER_DAYS, i64::from(order_on - today), text);
    }
}

fn order_days_named(allowed: [bool; 7]) -> String {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let named: Vec<&str> =
        names.into_iter().zip(allowed).filter(|(_, takes)| *takes).map(|(name, _)| name).collect();
    named.join(", ")
}
