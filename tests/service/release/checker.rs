//! Every query of the checker finds what it is there for.

use std::collections::BTreeSet;

use granary::store::db::Dialect;

use crate::desk::{Desk, Line, line};
use crate::invariants::of_part;

/// What to break, and which query must notice.
const BREAKS: [(&str, &str); 17] = [
    (
        "one_revision_of_a_line_in_force",
        "UPDATE released_line SET state = 'released' WHERE item_id = 'rice'",
    ),
    (
        "one_line_of_a_date_for_the_same_goods_from_the_same",
        "UPDATE released_line SET item_id = 'tea' WHERE item_id = 'oil'",
    ),
    (
        "a_revision_takes_the_place_of_the_one_before",
        "UPDATE released_line SET state = 'closed' WHERE item_id = 'rice' AND revision = 1",
    ),
    ("a_manifest_counts_its_lines", "UPDATE release_manifest SET lines = lines + 1"),
    (
        "a_manifest_sums_its_quantities",
        "UPDATE release_total SET total = total + 1 WHERE measure = 'order_qty'",
    ),
    ("a_manifest_sums_its_value", "DELETE FROM release_total WHERE measure = 'value_minor'"),
    ("a_line_is_of_its_manifests_run", "UPDATE release_manifest SET run_id = 'other'"),
    ("a_line_is_worth_its_pieces", "UPDATE released_line SET unit_cost_minor = 1"),
    ("a_gate_is_lifted_by_somebody", "DELETE FROM approval WHERE held_because <> ''"),
    (
        "an_override_over_its_cap_is_approved_by_another",
        "UPDATE approval SET actor = 'ANNA' WHERE actor = 'bob'",
    ),
    ("a_change_of_what_went_out_is_approved", "UPDATE released_line SET approved_by = ''"),
    (
        "nothing_goes_out_while_it_is_stopped",
        "INSERT INTO kill_switch (scope, scope_id, stopped, actor, role, at, reason) \
         VALUES ('supplier', 'V1', 1, 'x', 'x', '2090-10-20T05:00:00Z', 'x')",
    ),
    ("what_was_taken_is_known_as_taken", "UPDATE released_line SET state = 'released'"),
    (
        "a_plan_does_not_propose_anew_what_went_out",
        "UPDATE reorder_line SET state = 'proposed', revises = NULL WHERE item_id = 'oil'",
    ),
    (
        "a_plan_shows_as_released_only_what_went_out",
        "UPDATE reorder_line SET state = 'released', line_key = 'x' WHERE item_id = 'oil'",
    ),
    ("a_closed_line_has_a_date", "UPDATE released_line SET closed_on = NULL"),
    ("a_step_of_a_line_is_written_down", "DELETE FROM released_line_event"),
];

/// A desk on which everything has happened once: a gate lifted, a cap passed, a revision, a stop that
/// was taken back, something taken.
async fn eventful() -> Desk {
    let mut desk = Desk::on(Dialect::Sqlite).await;
    let (tea, rice) = (line("tea", 24), line("rice", 10));
    let oil = Line { held_because: "gate_cover", ..line("oil", 30) };
    desk.publish(&[tea.clone(), rice.clone(), oil.clone()]).await;
    desk.amend("anna", &tea, 84).await.expect("amended");
    desk.approve("bob", &tea).await.expect("approved");
    desk.approve("bob", &oil).await.expect("approved");
    desk.approve("bob", &rice).await.expect("approved");
    desk.release().await;
    desk.wait(chrono::TimeDelta::hours(1));
    let more = Line { qty: 20, ..rice.clone() };
    desk.publish(&[tea.clone(), more.clone(), oil]).await;
    desk.approve("bob", &more).await.expect("approved");
    desk.release().await;
    desk.ack("erp", &tea, None, Default::default()).await.expect("taken");
    desk
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_notices_what_it_is_for() {
    let named: BTreeSet<&str> = of_part("releases").iter().map(|query| query.name).collect();
    let broken: BTreeSet<&str> = BREAKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, broken, "every query is tried, and only those there are");
    for (name, sql) in BREAKS {
        let desk = eventful().await;
        desk.check("before").await;
        // Without the triggers, which would not let it happen.
        let triggers = desk.rows("SELECT name FROM sqlite_schema WHERE type = 'trigger'").await;
        for trigger in triggers {
            desk.execute(&format!("DROP TRIGGER {}", trigger[0])).await.expect("dropped");
        }
        desk.execute(sql).await.expect(sql);
        let found = desk.broken().await;
        assert!(found.contains_key(name), "{sql} was not noticed by {name}, but: {found:?}");
    }
}
