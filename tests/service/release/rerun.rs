//! A night run again after its release, and the nights after.

use granary::jobs::release::{self, Told, Why};
use granary::store::release::settle::{Carried, Closing};

use crate::desk::{Desk, JOB, Line, desks, line, refused};

/// One line released, then the night again with these lines.
async fn again(desk: &Desk, tea: &Line, plan: &[Line]) {
    desk.publish(&[tea.clone(), line("rice", 10)]).await;
    desk.approve("anna", tea).await.expect("approved");
    desk.release().await;
    desk.publish(plan).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_inputs_bring_nothing_new() {
    for desk in desks().await {
        let tea = line("tea", 24);
        again(&desk, &tea, &[tea.clone(), line("rice", 10)]).await;
        assert_eq!(desk.plan().await, ["rice proposed 10 0", "tea released 24 0"]);
        let report = desk.release().await;
        assert_eq!((report.release_id, report.as_released, report.left.len()), (None, 1, 1));
        desk.ack("erp", &tea, None, Told::default()).await.expect("taken");
        desk.publish(&[tea.clone(), line("rice", 10)]).await;
        assert_eq!(desk.plan().await, ["rice proposed 10 0", "tea confirmed 24 0"]);
        assert_eq!(desk.out().await, ["tea 1 order 24 confirmed"]);
        desk.check("nothing new").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_quantity_is_a_revision_and_never_a_second_order() {
    for desk in desks().await {
        let tea = line("tea", 24);
        let more = Line { qty: 36, ..tea.clone() };
        again(&desk, &tea, std::slice::from_ref(&more)).await;
        assert_eq!(
            desk.plan().await,
            ["tea proposed 36 1"],
            "it names the revision that it changes"
        );
        let left = desk.release().await.left;
        assert_eq!(left[0].why, Why::Waits);
        assert!(left[0].detail.contains("it changes what was released"), "{left:?}");
        // The approval of the first quantity is none of the second.
        desk.approve("anna", &more).await.expect("approved");
        desk.release().await;
        assert_eq!(desk.out().await, ["tea 1 order 24 cancelled", "tea 2 revision 36 released"]);
        assert_eq!(desk.plan().await, ["tea released 36 1"]);
        // A consumer that took the first meanwhile says so late; it learns of the second.
        let late = desk.ack("erp", &tea, Some(1), Told::default()).await.expect("noted");
        assert_eq!((late.state.as_str(), late.superseded_by), ("cancelled", Some(2)));
        let pending = release::pull(&desk.store, "erp", 0, None).await.expect("a pull");
        assert_eq!((pending.len(), pending[0].revision, pending[0].revises), (1, 2, Some(1)));
        // Back to the first quantity: a third revision, for which the first approval does not count.
        desk.publish(std::slice::from_ref(&tea)).await;
        assert_eq!(desk.plan().await, ["tea proposed 24 2"]);
        assert_eq!(desk.release().await.release_id, None);
        desk.check("revisions").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_gone_is_a_cancellation_to_approve() {
    for desk in desks().await {
        let tea = line("tea", 24);
        again(&desk, &tea, &[line("rice", 10)]).await;
        assert_eq!(desk.plan().await, ["rice proposed 10 0"]);
        assert_eq!(desk.out().await, ["tea 1 order 24 released"], "a re-run touches nothing of it");
        let run = desk.run().await;
        let mut db = desk.store.snapshot().await.expect("a snapshot");
        let gone = granary::store::read::history::gone(&mut db, &run).await.expect("what is gone");
        drop(db);
        assert_eq!(gone.len(), 1, "{gone:?}");
        assert_eq!((gone[0].item_id.as_str(), gone[0].order_qty), ("tea", 2));
        let left = desk.release().await.left;
        let detail = &left.iter().find(|left| left.line_key.contains("tea")).expect("tea").detail;
        assert!(detail.contains("cancellation waits for an approval"), "{detail}");
        let said = desk.approve("anna", &tea).await.expect("approved");
        assert_eq!((said.change, said.qty), (Some("cancellation"), Some(0)));
        desk.release().await;
        assert_eq!(desk.out().await, ["tea 1 order 24 cancelled", "tea 2 cancellation 0 released"]);
        desk.ack("erp", &tea, None, Told::default()).await.expect("taken");
        // The line comes back: it is a change of what went out, and a person's to say.
        desk.publish(std::slice::from_ref(&tea)).await;
        assert_eq!(desk.plan().await, ["tea proposed 24 2"]);
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        assert_eq!(desk.out().await[2], "tea 3 revision 24 released");
        desk.check("cancellations").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_made_of_a_line_stands_when_the_night_says_the_same() {
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.amend("anna", &tea, 48).await.expect("amended");
        desk.approve("anna", &tea).await.expect("approved");
        desk.publish(std::slice::from_ref(&tea)).await;
        assert_eq!(desk.plan().await, ["tea approved 24 0"], "a re-run keeps what was said");
        let sent = desk.release().await;
        assert_eq!((sent.released[0].qty, sent.released[0].order_qty), (48, 4));
        desk.publish(std::slice::from_ref(&tea)).await;
        assert_eq!(desk.plan().await, ["tea released 24 0"]);
        assert_eq!(desk.release().await.as_released, 1);
        // A newer word on a released line is a revision.
        let said = desk.amend("anna", &tea, 36).await.expect("amended");
        assert_eq!((said.change, said.qty), (Some("revision"), Some(36)));
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        assert_eq!(desk.out().await, ["tea 1 order 48 cancelled", "tea 2 revision 36 released"]);
        desk.check("overrides").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_do_not_release_the_same_line() {
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        let carried = Carried { rules: desk.rules.clone(), closings: vec![] };
        let plan = [Line { qty: 36, ..tea.clone() }];
        desk.publish_as("fresh", "", &plan, carried).await;
        let wish = release::Wish { job: "fresh".to_owned(), ..Default::default() };
        let report =
            release::release(&desk.store, &desk.by("olga"), &wish).await.expect("a release");
        assert_eq!((report.release_id, report.left[0].why), (None, Why::OtherJob));
        assert_eq!(desk.out().await, ["tea 1 order 24 released"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_plan_stays_where_it_is() {
    for mut desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        let carried = || Carried { rules: desk.rules.clone(), closings: vec![] };
        let (first, next) = (desk.date, desk.date + 1);
        let held = carried();
        desk.date = next;
        desk.publish_as(JOB, "gate_run_value", std::slice::from_ref(&tea), held).await;
        refused(desk.try_release().await, "is held by gate_run_value");
        desk.publish(std::slice::from_ref(&tea)).await;
        let old_key = tea.key(first);
        let old = release::approve(&desk.store, &desk.by("anna"), &old_key, "").await;
        refused(old, "which is not a current plan");
        let wish = release::Wish { job: JOB.into(), date: Some(first), ..Default::default() };
        let old = release::release(&desk.store, &desk.by("olga"), &wish).await;
        refused(old, "cannot be released");
        let wrong = release::approve(&desk.store, &desk.by("anna"), "no/such/key", "").await;
        refused(wrong, "there is no line");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_night_closes_what_is_done() {
    for mut desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        let closing = Closing {
            line_key: tea.key(desk.date),
            revision: 1,
            because: "received as order PO-1".to_owned(),
        };
        desk.date += 9;
        for _ in 0..2 {
            let carried = Carried { rules: desk.rules.clone(), closings: vec![closing.clone()] };
            desk.publish_as(JOB, "", &[line("rice", 10)], carried).await;
        }
        let sql = "SELECT state, closed_on, closed_because FROM released_line";
        assert_eq!(desk.one(sql).await, "closed 2090-10-29 received as order PO-1");
        assert_eq!(desk.one("SELECT count(*) FROM released_line_event").await, "1");
        let view = desk.rows("SELECT * FROM v_reorder_released").await;
        assert!(view.is_empty(), "what counts no more cannot be taken either");
        desk.check("closed by a night").await;
    }
}
