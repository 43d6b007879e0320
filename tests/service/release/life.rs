//! The whole life of a line; pulling and acknowledging; the manifest.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use granary::config::Exit;
use granary::jobs::release::{self, Novelty, Told, Why, Wish};
use granary::store::db::Dialect;

use crate::desk::{Desk, JOB, desks, line, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_line_goes_from_proposal_to_received() {
    for mut desk in desks().await {
        let (tea, rice) = (line("tea", 24), line("rice", 10));
        let oil = crate::desk::Line { held_because: "gate_cover", ..line("oil", 30) };
        desk.publish(&[tea.clone(), rice.clone(), oil.clone()]).await;
        assert_eq!(desk.plan().await, ["oil held 30 0", "rice proposed 10 0", "tea proposed 24 0"]);

        // Nothing goes by itself: the job says so by default.
        let nothing = desk.release().await;
        assert_eq!((nothing.release_id, nothing.left.len()), (None, 3));
        assert_eq!(nothing.exit(), Exit::PlanHeld);
        let why: Vec<Why> = nothing.left.iter().map(|left| left.why).collect();
        assert_eq!(why, [Why::Held, Why::Waits, Why::Waits]);

        let said = desk.approve("anna", &tea).await.expect("approved");
        assert_eq!((said.state.as_str(), said.exit()), ("approved", Exit::Ok));
        desk.approve("anna", &tea).await.expect("the same again");
        assert_eq!(desk.one("SELECT count(*) FROM approval").await, "1");
        let key = oil.key(desk.date);
        let silent = release::approve(&desk.store, &desk.by("anna"), &key, " ").await;
        refused(silent, "the reason for lifting a gate is empty");
        desk.approve("anna", &oil).await.expect("the gate is lifted");

        let wish = Wish { job: JOB.to_owned(), dry_run: true, ..Wish::default() };
        let dry = release::release(&desk.store, &desk.by("olga"), &wish).await.expect("a dry run");
        assert_eq!((dry.release_id, dry.released.len()), (None, 2));
        assert_eq!(desk.out().await, Vec::<String>::new());

        let sent = desk.release().await;
        assert_eq!(sent.exit(), Exit::PlanHeld, "rice waits");
        assert_eq!(sent.released, dry.released);
        assert_eq!(sent.totals, dry.totals);
        assert_eq!(
            desk.out().await,
            ["oil 1 order 30 released", "tea 1 order 24 released"],
            "{:?}",
            desk.store
        );
        assert_eq!(
            desk.plan().await,
            ["oil released 30 0", "rice proposed 10 0", "tea released 24 0"]
        );
        let again = desk.release().await;
        assert_eq!((again.release_id, again.as_released), (None, 2), "nothing goes twice");

        let told = Told { order_number: Some("PO-7".into()), ..Told::default() };
        let ack = desk.ack("erp", &tea, None, told).await.expect("taken");
        assert_eq!((ack.novelty, ack.state.as_str()), (Novelty::New, "confirmed"));
        assert_eq!(desk.plan().await[2], "tea confirmed 24 0");
        desk.wait(TimeDelta::hours(1));
        let key = tea.key(desk.date);
        let closed = release::close(&desk.store, &desk.by("dock"), (&key, None), "received")
            .await
            .expect("closed");
        assert_eq!((closed.state.as_str(), closed.was_closed), ("closed", false));
        let again =
            release::close(&desk.store, &desk.by("dock"), (&key, None), "").await.expect("closed");
        assert!(again.was_closed);
        assert_eq!(desk.plan().await[2], "tea closed 24 0");
        refused(desk.cancel("anna", &tea).await, "closed already");
        refused(desk.amend("anna", &tea, 36).await, "closed and takes no other quantity");
        refused(desk.approve("anna", &tea).await, "there is nothing to approve");
        desk.check("a whole life").await;
    }
}

/// What a purchasing system that reads the view and keeps keys would have.
async fn pull_by_view(desk: &Desk, kept: &mut BTreeMap<(String, String), usize>) {
    let rows = desk
        .rows("SELECT line_key, revision FROM v_reorder_released ORDER BY release_id, line_key")
        .await;
    for row in rows {
        *kept.entry((row[0].clone(), row[1].clone())).or_default() += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_pulls_give_each_line_once_per_consumer() {
    for desk in desks().await {
        let lines = [line("tea", 24), line("rice", 10), line("oil", 30)];
        desk.publish(&lines).await;
        for line in &lines {
            desk.approve("anna", line).await.expect("approved");
        }
        desk.release().await;
        let mut kept = BTreeMap::new();
        let before = desk.rows("SELECT * FROM released_line ORDER BY 1").await;
        for _ in 0..10 {
            pull_by_view(&desk, &mut kept).await;
            let pulled = release::pull(&desk.store, "erp", 0, None).await.expect("a pull");
            assert_eq!(pulled.len(), 3);
        }
        assert_eq!(kept.len(), 3, "each line is one line, however often it is read");
        assert_eq!(before, desk.rows("SELECT * FROM released_line ORDER BY 1").await);

        desk.ack("erp", &lines[0], None, Told::default()).await.expect("taken");
        let pending = |consumer: &'static str| {
            let desk = &desk;
            async move {
                let lines = release::pull(&desk.store, consumer, 0, None).await.expect("a pull");
                lines.into_iter().map(|line| line.item_id).collect::<Vec<_>>()
            }
        };
        assert_eq!(pending("erp").await, ["oil", "rice"]);
        assert_eq!(pending("warehouse").await, ["oil", "rice", "tea"]);
        let view = desk.rows("SELECT item_id FROM v_reorder_released ORDER BY 1").await;
        assert_eq!(view, [["oil"], ["rice"]], "the view is what nobody has taken");
        let after = release::pull(&desk.store, "erp", 1, None).await.expect("a pull");
        assert_eq!(after, [], "there is no later release");
        let some = release::pull(&desk.store, "erp", 0, Some(1)).await.expect("a pull");
        assert_eq!(some.len(), 1);
        refused(release::pull(&desk.store, " ", 0, None).await, "the consumer");
        desk.check("pulls").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_said_twice_is_one() {
    for mut desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.approve("anna", &tea).await.expect("approved");
        refused(desk.ack("erp", &tea, None, Told::default()).await, "was released");
        desk.release().await;
        let steps = [
            (Told::default(), Novelty::New),
            (Told::default(), Novelty::Known),
            (Told { order_number: Some("PO-7".into()), ..Told::default() }, Novelty::Changed),
            (Told { order_number: Some("PO-7".into()), ..Told::default() }, Novelty::Known),
            (
                Told {
                    confirmed_qty: Some(20),
                    confirmed_on: Some("2090-10-28".into()),
                    order_number: None,
                },
                Novelty::Changed,
            ),
            (Told::default(), Novelty::Known),
        ];
        for (told, novelty) in steps {
            desk.wait(TimeDelta::minutes(1));
            let ack = desk.ack("erp", &tea, Some(1), told.clone()).await.expect("taken");
            assert_eq!((ack.novelty, ack.state.as_str()), (novelty, "confirmed"), "{told:?}");
        }
        let kept = "SELECT state, confirmed_qty, confirmed_on, order_number FROM released_line";
        assert_eq!(desk.one(kept).await, "confirmed 20 2090-10-28 PO-7");
        assert_eq!(desk.one("SELECT count(*) FROM acknowledgement").await, "1");
        assert_eq!(desk.one("SELECT count(*) FROM released_line_event").await, "3");
        let ack = desk.ack("warehouse", &tea, None, Told::default()).await.expect("taken");
        assert_eq!(ack.novelty, Novelty::New);
        let wrong = Told { confirmed_on: Some("28.10.2090".into()), ..Told::default() };
        refused(desk.ack("erp", &tea, None, wrong).await, "should be a date YYYY-MM-DD");
        refused(desk.ack("erp", &tea, Some(9), Told::default()).await, "revision 9 was released");
        desk.check("acknowledgements").await;
    }
}

/// The function of the database does what the program does, word for word.
#[tokio::test(flavor = "multi_thread")]
async fn the_function_for_purchasing_is_the_same_acknowledgement() {
    let mut answers: Vec<Vec<Vec<Vec<String>>>> = Vec::new();
    for (n, desk) in desks().await.into_iter().enumerate() {
        let (tea, rice) = (line("tea", 24), line("rice", 10));
        desk.publish(&[tea.clone(), rice.clone()]).await;
        for line in [&tea, &rice] {
            desk.approve("anna", line).await.expect("approved");
        }
        desk.release().await;
        if n == 0 {
            let told = Told {
                confirmed_qty: Some(20),
                confirmed_on: Some("2090-10-28".into()),
                order_number: Some("PO-7".into()),
            };
            desk.ack("erp", &tea, None, told).await.expect("taken");
            desk.ack("erp", &tea, None, Told::default()).await.expect("taken again");
            desk.ack("erp", &rice, None, Told::default()).await.expect("taken");
        } else {
            let call = |arguments: String| {
                let desk = &desk;
                async move { desk.execute(&format!("SELECT acknowledge_line({arguments})")).await }
            };
            let (tea, rice) = (tea.key(desk.date), rice.key(desk.date));
            call(format!("'{tea}', 1, 'erp', 20, '2090-10-28', 'PO-7'")).await.expect("taken");
            call(format!("'{tea}', 1, 'erp'")).await.expect("taken again");
            call(format!("'{rice}', 1, 'erp'")).await.expect("taken");
            for (wrong, words) in [
                (format!("'{tea}', 2, 'erp'"), "no released line"),
                (format!("'{tea}', 1, ' '"), "empty or has blanks"),
                (format!("'{tea}', 1, 'erp', -1"), "should be 0 or more"),
                (format!("'{tea}', 1, 'erp', 1, '2090-2-1'"), "should be a date"),
            ] {
                let error = call(wrong).await.expect_err(words).to_string();
                assert!(error.contains(words), "{error}");
            }
            let fixed = desk.one(
                "SELECT prosecdef, array_to_string(proconfig, ' ') FROM pg_proc \
                 WHERE proname = 'acknowledge_line'",
            );
            assert_eq!(fixed.await, "true search_path=public, pg_temp");
        }
        let tables = [
            "SELECT consumer, line_key, revision, confirmed_qty, confirmed_on, order_number \
             FROM acknowledgement ORDER BY 2",
            "SELECT line_key, state, confirmed_qty, confirmed_on, order_number FROM released_line \
             ORDER BY 1",
            "SELECT line_key, state FROM reorder_line ORDER BY 1",
            "SELECT line_key, operation, old_state, new_state, detail FROM released_line_event \
             ORDER BY event_no",
        ];
        let mut all = Vec::new();
        for table in tables {
            all.push(desk.rows(table).await);
        }
        answers.push(all);
        desk.check("acknowledged").await;
    }
    for other in &answers[1..] {
        assert_eq!(*other, answers[0]);
    }
}

/// The hash of docs/release.md, made anew from what an SQL client reads: no code of ours in between.
async fn hash_by_hand(desk: &Desk, release_id: &str) -> String {
    let text = [
        "line_key",
        "change",
        "job",
        "business_date",
        "run_id",
        "kind",
        "item_id",
        "supplier_id",
        "source_location_id",
        "location_id",
        "base_uom",
        "order_uom",
        "currency",
        "order_on",
        "expected_on",
        "need_on",
        "held_because",
        "approved_by",
    ];
    let columns = "line_key, revision, revises, change, job, business_date, run_id, kind, item_id, \
                   supplier_id, source_location_id, location_id, qty, qty_decimals, base_uom, \
                   order_qty, order_uom, unit_cost_minor, value_minor, currency, order_on, \
                   expected_on, need_on, held_because, proposed_qty, override_id, approved_by";
    let sql = format!(
        "SELECT {columns} FROM released_line WHERE release_id = {release_id} \
         ORDER BY line_key, revision"
    );
    let mut bytes = String::new();
    for row in desk.rows(&sql).await {
        let names = columns.split(", ").map(str::trim);
        let values: Vec<String> = names
            .zip(row)
            .map(|(name, value)| match (text.contains(&name), value.as_str()) {
                (false, "NULL") => "null".to_owned(),
                (false, number) => number.to_owned(),
                (true, text) => format!("\"{}\"", text.replace('\n', "\\n")),
            })
            .collect();
        bytes += &format!("[{}]\n", values.join(","));
    }
    blake3::hash(bytes.as_bytes()).to_hex().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_can_be_recomputed_by_anybody() {
    for mut desk in desks().await {
        let tea = line("tea", 24);
        let oil = crate::desk::Line { unit_cost_minor: 5_000, ..line("oil", 30) };
        desk.publish(&[tea.clone(), oil.clone()]).await;
        desk.approve("anna", &tea).await.expect("approved");
        for name in ["anna", "bob"] {
            desk.approve(name, &oil).await.expect("approved");
        }
        desk.release().await;
        desk.publish(&[crate::desk::Line { qty: 36, ..tea.clone() }, oil]).await;
        desk.approve("王芳", &tea).await.expect("approved");
        desk.wait(TimeDelta::hours(1));
        desk.release().await;
        let manifests =
            desk.rows("SELECT release_id, lines_hash FROM release_manifest ORDER BY 1").await;
        assert_eq!(manifests.len(), 2);
        for manifest in manifests {
            assert_eq!(hash_by_hand(&desk, &manifest[0]).await, manifest[1]);
        }
        let sums = desk.rows(
            "SELECT release_id, measure, unit, total FROM v_release_manifest ORDER BY 1, 2, 3",
        );
        assert_eq!(
            sums.await,
            [
                ["1", "order_qty", "case", "2"],
                ["1", "order_qty", "each", "30"],
                ["1", "value_minor", "CNY", "152400"],
                ["2", "order_qty", "case", "3"],
                ["2", "value_minor", "CNY", "3600"],
            ]
        );
        desk.check("manifests").await;
    }
}

/// A plan that somebody changed behind the program's back does not go out.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_plan_that_was_published_and_seen_goes_out() {
    let desk = Desk::on(Dialect::Sqlite).await;
    let tea = line("tea", 24);
    desk.publish(std::slice::from_ref(&tea)).await;
    desk.approve("anna", &tea).await.expect("approved");
    let seen = desk.run().await.plan_digest;
    let wish = |digest: &str, date: &str| Wish {
        job: JOB.to_owned(),
        date: Some(date.parse().expect("a date")),
        plan_digest: Some(digest.to_owned()),
        dry_run: true,
    };
    let by = desk.by("olga");
    let tried = async |wish: Wish| release::release(&desk.store, &by, &wish).await;
    tried(wish(&seen, "2090-10-20")).await.expect("the plan as it was seen");
    refused(tried(wish("other", "2090-10-20")).await, "was planned anew since");
    refused(tried(wish(&seen, "2090-10-19")).await, "the newest published plan of nightly is of");
    let other_job = Wish { job: "fresh".to_owned(), ..Wish::default() };
    refused(tried(other_job).await, "no plan of job \"fresh\" is published");

    desk.execute("UPDATE reorder_line SET qty = 2400, order_qty = 200").await.expect("tampered");
    refused(tried(wish(&seen, "2090-10-20")).await, "are not those that were published");
}
