//! Stops are read inside the release, and hide what was not taken yet.

use granary::config::Exit;
use granary::jobs::release::{self, Scope, Why};

use crate::desk::{JOB, Line, desks, line, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_stops_its_scope_and_nothing_else() {
    for desk in desks().await {
        let lines = [
            line("tea", 24),
            Line { supplier: "V2", ..line("rice", 10) },
            Line { location: "S2", ..line("oil", 30) },
        ];
        desk.publish(&lines).await;
        for line in &lines {
            desk.approve("anna", line).await.expect("approved");
        }
        let by = desk.by("olga");
        let run_id = format!("{JOB}@{}", desk.date);
        let wish = release::Wish { job: JOB.into(), dry_run: true, ..Default::default() };
        for (scope, id, going) in [
            (Scope::All, "", vec![]),
            (Scope::Run, JOB, vec![]),
            (Scope::Run, run_id.as_str(), vec![]),
            (Scope::Supplier, "V1", vec!["rice"]),
            (Scope::Supplier, "V2", vec!["oil", "tea"]),
            (Scope::Location, "S1", vec!["oil"]),
            (Scope::Location, "S2", vec!["rice", "tea"]),
        ] {
            let stopped = release::stop(&desk.store, &by, scope, id, "a recall").await;
            assert!(stopped.expect("stopped").changed, "{scope:?} {id}");
            let report = release::release(&desk.store, &by, &wish).await.expect("a dry run");
            let out: Vec<&str> = report
                .released
                .iter()
                .map(|out| out.line_key.split('/').nth(2).expect("an item"))
                .collect();
            assert_eq!(out, going, "{scope:?} {id}");
            assert!(report.left.iter().all(|left| left.why == Why::Stopped), "{report:?}");
            assert_eq!(report.exit(), Exit::PlanHeld);
            let gone = release::go(&desk.store, &by, scope, id, "cleared").await;
            assert!(gone.expect("gone").changed);
            let again = release::go(&desk.store, &by, scope, id, "cleared").await;
            assert!(!again.expect("gone").changed, "there was nothing to take back");
        }
        assert_eq!(release::stops(&desk.store).await.expect("stops"), []);
        let report = desk.release().await;
        assert_eq!((report.released.len(), report.exit()), (3, Exit::Ok));
        desk.check("switches").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_hides_what_was_not_taken() {
    for desk in desks().await {
        let lines = [line("tea", 24), Line { supplier: "V2", ..line("rice", 10) }];
        desk.publish(&lines).await;
        for line in &lines {
            desk.approve("anna", line).await.expect("approved");
        }
        desk.release().await;
        let by = desk.by("olga");
        let seen = async || {
            let pulled = release::pull(&desk.store, "erp", 0, None).await.expect("a pull").len();
            let view = desk.rows("SELECT line_key FROM v_reorder_released").await.len();
            (pulled, view)
        };
        assert_eq!(seen().await, (2, 2));
        release::stop(&desk.store, &by, Scope::Supplier, "V2", "a recall").await.expect("stopped");
        assert_eq!(seen().await, (1, 1));
        let stops = release::stops(&desk.store).await.expect("stops");
        assert_eq!(stops[0].told(), "supplier V2, by olga: a recall");
        let second = release::stop(&desk.store, &by, Scope::Supplier, "V2", "still").await;
        assert!(!second.expect("stopped").changed);
        assert_eq!(release::stops(&desk.store).await.expect("stops")[0].reason, "still");
        release::go(&desk.store, &by, Scope::Supplier, "V2", "cleared").await.expect("gone");
        assert_eq!(seen().await, (2, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_would_stop_nothing_is_refused() {
    for desk in desks().await {
        desk.publish(&[line("tea", 24)]).await;
        let by = desk.by("olga");
        for (scope, id, words) in [
            (Scope::Supplier, "V9", "there is no supplier \"V9\""),
            (Scope::Location, "s1", "there is no location \"s1\""),
            (Scope::Run, "nightly@2090-10-21", "there is no run"),
            (Scope::Supplier, "", "which supplier?"),
            (Scope::All, "V1", "`all` takes no id"),
        ] {
            refused(release::stop(&desk.store, &by, scope, id, "why").await, words);
        }
        refused(release::stop(&desk.store, &by, Scope::All, "", "").await, "the reason is empty");
        assert_eq!(desk.one("SELECT count(*) FROM kill_switch").await, "0");
    }
}
