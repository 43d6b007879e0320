//! The tables hold whoever opens the database with another program.

use granary::store::db::{Dialect, query};
use granary_models::plan::line::LineState;

use crate::desk::{Desk, desks, line};

async fn with_history() -> Vec<Desk> {
    let mut all = Vec::new();
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.amend("anna", &tea, 36).await.expect("amended");
        desk.approve("anna", &tea).await.expect("approved");
        desk.release().await;
        desk.ack("erp", &tea, None, Default::default()).await.expect("taken");
        let by = desk.by("olga");
        let scope = granary::jobs::release::Scope::All;
        granary::jobs::release::stop(&desk.store, &by, scope, "", "why").await.expect("stopped");
        all.push(desk);
    }
    all
}

fn dialect(desk: &Desk) -> Dialect {
    if desk.store.path().is_some() { Dialect::Sqlite } else { Dialect::Postgres }
}

/// An update of every column of `released_line` that is written once.
async fn changes_of_a_released_line(desk: &Desk) -> Vec<String> {
    let columns = match dialect(desk) {
        Dialect::Sqlite => "SELECT name, type FROM pragma_table_info('released_line')",
        Dialect::Postgres => {
            "SELECT column_name, data_type FROM information_schema.columns \
             WHERE table_name = 'released_line'"
        }
    };
    let later =
        ["state", "confirmed_qty", "confirmed_on", "order_number", "closed_on", "closed_because"];
    let columns = desk.rows(columns).await.into_iter();
    columns
        .filter(|column| !later.contains(&column[0].as_str()))
        .map(|column| {
            let (name, kind) = (&column[0], &column[1]);
            let whole = ["INTEGER", "bigint"].contains(&kind.as_str());
            let other =
                if whole { format!("coalesce({name}, 0) + 1") } else { format!("{name} || 'x'") };
            format!("UPDATE released_line SET {name} = {other}")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_once_is_neither_changed_nor_deleted() {
    for desk in with_history().await {
        let before = desk.rows("SELECT * FROM released_line").await;
        let mut refusals = 0;
        let mut refuse = async |sql: String| {
            let error = desk.execute(&sql).await.expect_err(&sql).to_string();
            let told = [
                "never",
                "does not change",
                "is turned by a new row",
                "was released before",
                "only moves forward",
                "begins as released",
                "names the one before it",
                "unique constraint",
                "is never deleted",
            ];
            assert!(told.iter().any(|words| error.contains(words)), "{sql}: {error}");
            refusals += 1;
        };
        for sql in changes_of_a_released_line(&desk).await {
            refuse(sql).await;
        }
        refuse("DELETE FROM released_line".into()).await;
        for (table, change) in [
            ("release_manifest", "lines = lines + 1"),
            ("release_manifest", "lines_hash = 'x'"),
            ("release_total", "total = total + 1"),
            ("override", "qty = qty + 1"),
            ("override", "expires_at = NULL"),
            ("approval", "actor = 'bob'"),
            ("approval", "qty = 99"),
            ("kill_switch", "stopped = 0"),
            ("released_line_event", "actor = 'bob'"),
        ] {
            refuse(format!("UPDATE {table} SET {change}")).await;
            refuse(format!("DELETE FROM {table}")).await;
        }
        refuse("DELETE FROM acknowledgement".into()).await;
        match dialect(&desk) {
            // SQLite's own way around a DELETE trigger.
            Dialect::Sqlite => {
                for table in [
                    "released_line",
                    "release_manifest",
                    "release_total",
                    "override",
                    "approval",
                    "kill_switch",
                    "released_line_event",
                ] {
                    refuse(format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}")).await;
                }
                refuse("UPDATE OR REPLACE released_line SET qty = 1".into()).await;
            }
            Dialect::Postgres => {
                for table in [
                    "released_line",
                    "approval",
                    "override",
                    "kill_switch",
                    "released_line_event",
                    "acknowledgement",
                    "release_total",
                ] {
                    refuse(format!("TRUNCATE {table} CASCADE")).await;
                }
                refuse("INSERT INTO released_line SELECT * FROM released_line".into()).await;
            }
        }
        assert!(refusals > 50, "{refusals}");
        assert_eq!(before, desk.rows("SELECT * FROM released_line").await);
        desk.check("after all attempts").await;
    }
}

/// The triggers' transitions are those of the table in models/plan/life.rs, pair by pair.
#[tokio::test(flavor = "multi_thread")]
async fn the_tables_know_the_same_transitions() {
    let out = [LineState::Released, LineState::Confirmed, LineState::Closed, LineState::Cancelled];
    for desk in with_history().await {
        let columns = "business_date, run_id, kind, item_id, supplier_id, source_location_id, \
                       location_id, qty, qty_decimals, base_uom, order_qty, order_uom, \
                       unit_cost_minor, value_minor, currency, order_on, expected_on, need_on, \
                       priority, expected_value_minor, reason, held_because, proposed_qty, \
                       override_id, approved_by, released_at, released_by";
        for (n, from) in out.into_iter().enumerate() {
            for to in LineState::ALL {
                let key = format!("{n}/{}", to.as_str());
                let copy = format!(
                    "INSERT INTO released_line (line_key, revision, change, release_id, job, \
                     {columns}, state) SELECT '{key}', 1, 'order', release_id, job, {columns}, \
                     'released' FROM released_line WHERE revision = 1 AND line_key LIKE '2090%'"
                );
                desk.execute(&copy).await.expect("a new line");
                let go = |state: LineState| {
                    format!(
                        "UPDATE released_line SET state = '{}' WHERE line_key = '{key}'",
                        state.as_str()
                    )
                };
                if from != LineState::Released {
                    desk.execute(&go(from)).await.expect("a first step");
                }
                let went = desk.execute(&go(to)).await.is_ok();
                assert_eq!(went, from.may_become(to), "{from:?} → {to:?}");
            }
        }
    }
}

/// What was said before the tables had room for more is still there, and counts for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn approvals_of_before_do_not_count() {
    for desk in desks().await {
        let tea = line("tea", 24);
        let old = "INSERT INTO approval (line_key, verdict, actor, at) VALUES ($1, 'approve', 'anna', '')";
        desk.store.execute(query(old).bind(tea.key(desk.date))).await.expect("an old approval");
        desk.publish(std::slice::from_ref(&tea)).await;
        assert_eq!(desk.plan().await, ["tea proposed 24 0"]);
        assert_eq!(desk.release().await.release_id, None);
    }
}
