//! A released line counts as on order once: itself, or the upstream's order for it.

use granary::jobs::release::{self, Told};
use granary::store::inputs;
use granary::store::release::on_order::{self, OnOrder, Scope};
use granary_models::calendar::Day;

use crate::desk::{Desk, JOB, desks, line};

async fn seen(desk: &Desk, job: &str, date: Day) -> OnOrder {
    let scope = Scope { job, business_date: date, place: None };
    let mut db = desk.store.snapshot().await.expect("a snapshot");
    let orders = inputs::orders(&mut db, date).await.expect("orders");
    let orders = on_order::without_own_date(orders, date);
    let released = on_order::released(&mut db, scope).await.expect("released lines");
    released.against(&orders, scope, desk.rules.on_order_days).expect("what is on order")
}

/// Quantities on order beside the upstream's, and why lines are closed.
async fn counted(desk: &Desk, days: i32) -> (Vec<i64>, Vec<String>) {
    let found = seen(desk, JOB, desk.date + days).await;
    let because = found.closings.into_iter().map(|closing| closing.because).collect();
    (found.orders.into_iter().map(|order| order.qty).collect(), because)
}

async fn order(desk: &Desk, columns: &str, values: &str) {
    let sql = format!(
        "INSERT INTO purchase_order (po_id, item_id, location_id, {columns}) \
         VALUES ('PO-7', 'tea', 'S1', {values})"
    );
    desk.execute(&sql).await.expect(&sql);
}

async fn with_tea() -> Vec<Desk> {
    let mut all = Vec::new();
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        all.push(desk);
    }
    all
}

const SINCE: &str = "2090-10-20";

#[tokio::test(flavor = "multi_thread")]
async fn until_an_order_shows_it_the_line_counts_itself() {
    let none = Vec::<String>::new();
    for desk in with_tea().await {
        // The night of its own date decides it anew; another job's does not.
        assert_eq!(counted(&desk, 0).await, (vec![], none.clone()));
        assert_eq!(seen(&desk, "fresh", desk.date).await.orders.len(), 1);
        assert_eq!(counted(&desk, -1).await, (vec![], none.clone()));
        // Expected after five days, and seven more until it is given up.
        for days in [1, 5, 12] {
            assert_eq!(counted(&desk, days).await, (vec![24], none.clone()), "{days}");
        }
        let lapsed = vec!["nothing came of it by 2090-11-02".to_owned()];
        assert_eq!(counted(&desk, 13).await, (vec![], lapsed));
        let others = seen(&desk, "fresh", desk.date + 13).await;
        assert_eq!((others.orders.len(), others.closings.len()), (1, 0), "its own job closes it");
        let order = &seen(&desk, JOB, desk.date + 1).await.orders[0];
        assert_eq!(order.po_id, line("tea", 24).key(desk.date));
        assert_eq!(order.expected_on, Some(desk.date + 5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_names_the_line_or_looks_like_it_stands_for_it() {
    let key = line("tea", 24).key(SINCE.parse().expect("a date"));
    let open = "qty, supplier_id, ordered_on, state, released_line_key";
    for (columns, values, taken) in [
        (open, format!("24, 'V1', '2090-10-20', 'open', '{key}'"), true),
        (open, format!("12, 'V9', '2090-10-25', 'open', '{key}'"), true),
        (open, "24, 'V1', '2090-10-20', 'open', ''".to_owned(), true),
        (open, "24, 'V1', '2090-10-27', 'open', ''".to_owned(), true),
        (open, "24, 'V1', '2090-10-28', 'open', ''".to_owned(), false),
        (open, "24, 'V1', '2090-10-19', 'open', ''".to_owned(), false),
        (open, "24, 'V2', '2090-10-20', 'open', ''".to_owned(), false),
        (open, "12, 'V1', '2090-10-20', 'open', ''".to_owned(), false),
        (open, "24, 'V1', '2090-10-20', 'open', '2090-10-19/purchase/tea/S1/V1'".to_owned(), false),
    ] {
        for desk in with_tea().await {
            order(&desk, columns, &values).await;
            let (qty, closed) = counted(&desk, 9).await;
            assert_eq!((qty.is_empty(), closed.len()), (taken, 0), "{values}");
            // For the night of the line's own date the order is not placed yet, nor a second one.
            assert_eq!(counted(&desk, 0).await.0, Vec::<i64>::new());
            let mut db = desk.store.snapshot().await.expect("a snapshot");
            let placed = inputs::orders(&mut db, desk.date).await.expect("orders");
            let placed = on_order::without_own_date(placed, desk.date);
            assert!(placed.iter().all(|order| order.released_line_key != key), "{placed:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_the_line_is_what_counts() {
    for desk in with_tea().await {
        let tea = line("tea", 24);
        let told = |qty: Option<i64>, number: Option<&str>| Told {
            confirmed_qty: qty,
            confirmed_on: Some("2090-10-29".to_owned()),
            order_number: number.map(str::to_owned),
        };
        desk.ack("erp", &tea, None, told(Some(12), None)).await.expect("taken");
        assert_eq!(counted(&desk, 1).await.0, [12]);
        let on = seen(&desk, JOB, desk.date + 1).await.orders[0].expected_on;
        assert_eq!(on, Some(desk.date + 9));
        // An order of another quantity, known by the number that was told.
        order(&desk, "qty, ordered_on", "20, '2090-10-20'").await;
        assert_eq!(counted(&desk, 1).await.0, [12], "no number was told");
        desk.ack("erp", &tea, None, told(Some(12), Some("PO-7"))).await.expect("taken");
        assert_eq!(counted(&desk, 1).await.0, Vec::<i64>::new());
        // A supplier that delivers nothing: the next night may order anew.
        desk.ack("erp", &tea, None, told(Some(0), Some("PO-8"))).await.expect("taken");
        assert_eq!(counted(&desk, 1).await.0, Vec::<i64>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_counts_no_more() {
    let key = line("tea", 24).key(SINCE.parse().expect("a date"));
    let columns = "qty, received_qty, ordered_on, received_on, state, released_line_key";
    for (values, because) in [
        (
            format!("24, 24, '2090-10-20', '2090-10-24', 'received', '{key}'"),
            "received as order PO-7",
        ),
        (
            format!("24, 0, '2090-10-20', NULL, 'cancelled', '{key}'"),
            "cancelled upstream as order PO-7",
        ),
    ] {
        for desk in with_tea().await {
            order(&desk, columns, &values).await;
            assert_eq!(counted(&desk, 6).await, (vec![], vec![because.to_owned()]));
        }
    }
    for desk in with_tea().await {
        // Closed on the date of the newest plan: later nights do not count it, that night still does.
        let by = desk.by("dock");
        release::close(&desk.store, &by, (&key, None), "").await.expect("closed");
        let other = seen(&desk, "fresh", desk.date).await.orders.len();
        assert_eq!((counted(&desk, 1).await.0, other), (vec![], 1));
    }
    for desk in with_tea().await {
        desk.cancel("anna", &line("tea", 24)).await.expect("cancelled");
        assert_eq!(counted(&desk, 1).await, (vec![], vec![]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_stands_for_one_line_and_a_revision_may_lag_behind() {
    for desk in with_tea().await {
        let tea = line("tea", 24);
        // An order of the first quantity, which the upstream has not changed yet.
        order(&desk, "qty, supplier_id, ordered_on", "24, 'V1', '2090-10-20'").await;
        let more = crate::desk::Line { qty: 36, ..tea.clone() };
        desk.publish(std::slice::from_ref(&more)).await;
        desk.approve("anna", &more).await.expect("approved");
        desk.release().await;
        assert_eq!(counted(&desk, 1).await.0, Vec::<i64>::new());
        // Another line of as many, of the next day, is not the same order's.
        let mut next = desk;
        next.date += 1;
        next.publish(std::slice::from_ref(&tea)).await;
        next.approve("anna", &tea).await.expect("approved");
        next.release().await;
        assert_eq!(counted(&next, 1).await.0, [24]);
    }
}
