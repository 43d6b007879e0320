//! Whose word counts, for how long, and against what.

use chrono::TimeDelta;
use granary::config::{Exit, Refused};
use granary::jobs::release::{self, Amend, Asked, Filter, Why};
use granary::store::db::Dialect;

use crate::desk::{Desk, JOB, Line, desks, line, refused};

#[tokio::test(flavor = "multi_thread")]
async fn who_amends_a_large_line_does_not_approve_it() {
    for desk in desks().await {
        let tea = line("tea", 60);
        desk.publish(std::slice::from_ref(&tea)).await;
        let said = desk.amend("anna", &tea, 120).await.expect("amended");
        assert_eq!(said.exit(), Exit::PlanHeld);
        assert!(said.waits_for.contains("by another than anna"), "{}", said.waits_for);
        let own = desk.approve(" Anna", &tea).await;
        let exit = own.as_ref().expect_err("refused").downcast_ref::<Refused>().map(|r| r.exit);
        assert_eq!(exit, Some(Exit::PlanHeld));
        refused(own, "amended this line and may not approve it");
        assert_eq!(desk.release().await.release_id, None);
        assert_eq!(desk.approve("bob", &tea).await.expect("approved").state, "approved");
        let sent = desk.release().await;
        assert_eq!(sent.released[0].qty, 120);
        assert_eq!(desk.one("SELECT approved_by, override_id FROM released_line").await, "bob 1");
        desk.check("four eyes").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_very_large_line_takes_two_people() {
    for desk in desks().await {
        let oil = Line { unit_cost_minor: 10_000, ..line("oil", 11) };
        desk.publish(std::slice::from_ref(&oil)).await;
        for name in ["anna", "anna", "ANNA"] {
            let said = desk.approve(name, &oil).await.expect("noted");
            assert_eq!((said.state.as_str(), said.exit()), ("proposed", Exit::PlanHeld), "{name}");
        }
        assert_eq!(desk.release().await.left[0].why, Why::Waits);
        assert_eq!(desk.approve("bob", &oil).await.expect("noted").state, "approved");
        let taken_back =
            release::withdraw(&desk.store, &desk.by("bob"), &oil.key(desk.date), "on reflection")
                .await
                .expect("withdrawn");
        assert_eq!(taken_back.state, "proposed");
        assert_eq!(desk.release().await.release_id, None);
        let not_given =
            release::withdraw(&desk.store, &desk.by("cara"), &oil.key(desk.date), "why not").await;
        refused(not_given, "does not approve line");
        desk.approve("cara", &oil).await.expect("noted");
        desk.release().await;
        assert_eq!(desk.one("SELECT approved_by FROM released_line").await, "anna\ncara");
        desk.check("two people").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_expires() {
    for mut desk in desks().await {
        let (tea, rice) = (line("tea", 24), line("rice", 10));
        desk.publish(&[tea.clone(), rice.clone()]).await;
        desk.amend("anna", &tea, 48).await.expect("amended");
        desk.wait(TimeDelta::days(1));
        desk.approve("anna", &tea).await.expect("approved");
        desk.approve("anna", &rice).await.expect("approved");
        // The override counts for seven days, the approvals for one more.
        desk.wait(TimeDelta::days(6) - TimeDelta::seconds(1));
        let wish = release::Wish { job: JOB.into(), dry_run: true, ..Default::default() };
        let tried = async |desk: &Desk| {
            let report = release::release(&desk.store, &desk.by("olga"), &wish).await;
            report.expect("a dry run").released.iter().map(|out| out.qty).collect::<Vec<_>>()
        };
        assert_eq!(tried(&desk).await, [10, 48]);
        desk.wait(TimeDelta::seconds(1));
        assert_eq!(tried(&desk).await, [10], "of tea, 24 were never approved");
        desk.wait(TimeDelta::days(1));
        assert_eq!(tried(&desk).await, Vec::<i64>::new());
        desk.approve("anna", &rice).await.expect("approved anew");
        assert_eq!(tried(&desk).await, [10]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_is_held_against_terms_and_cap() {
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        let key = tea.key(desk.date);
        let amend = async |qty: Asked<'_>, reason: &str, force: bool| {
            let amend = Amend { line_key: &key, qty, reason, force };
            release::amend(&desk.store, &desk.by("anna"), &amend).await
        };
        for (qty, words) in [
            ("13", "13 is no multiple of 12"),
            ("6", "6 is below the minimum of 12 and no multiple of 12"),
            ("1212", "over the supplier's 1200"),
            ("0", "use `granary cancel`"),
            ("-12", "should be in 1..="),
            ("1.5", "the item counts in 0 decimals"),
            ("many", "quantity \"many\""),
            ("1e15", "should be in 1..="),
        ] {
            refused(amend(Asked::Base(qty), "why", false).await, words);
        }
        refused(amend(Asked::Smallest(36), " ", false).await, "the reason is empty");
        assert_eq!(desk.one("SELECT count(*) FROM override").await, "0");
        // The cap of the desk's lines is three times the night's quantity: 72.
        let within = amend(Asked::Smallest(72), "a feast", false).await.expect("amended");
        assert!(!within.waits_for.contains("another than"), "{}", within.waits_for);
        let over = amend(Asked::Smallest(84), "a feast", false).await.expect("amended");
        assert!(over.waits_for.contains("by another than anna"), "{}", over.waits_for);
        let forced = amend(Asked::Smallest(13), "the rest", true).await.expect("amended");
        assert!(forced.waits_for.contains("goes against a limit"), "{}", forced.waits_for);
        desk.approve("bob", &tea).await.expect("approved");
        let sent = desk.release().await;
        assert_eq!((sent.released[0].qty, sent.released[0].order_uom.as_str()), (13, "each"));
        let said = "SELECT old_qty, qty, actor, role, reason, cap_qty, against_terms FROM override \
                    ORDER BY override_id DESC LIMIT 1";
        assert_eq!(desk.one(said).await, "84 13 anna local the rest 72 13 is no multiple of 12");
        desk.check("limits").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_cancelled_for_good() {
    for desk in desks().await {
        let tea = line("tea", 24);
        desk.publish(std::slice::from_ref(&tea)).await;
        desk.approve("anna", &tea).await.expect("approved");
        let said = desk.cancel("bob", &tea).await.expect("cancelled");
        assert_eq!((said.state.as_str(), said.exit()), ("cancelled", Exit::Ok));
        for _ in 0..2 {
            assert_eq!(desk.plan().await, ["tea cancelled 24 0"]);
            let report = desk.release().await;
            assert_eq!((report.release_id, report.exit()), (None, Exit::Ok));
            refused(desk.approve("anna", &tea).await, "is cancelled");
            refused(desk.amend("anna", &tea, 36).await, "is cancelled");
            refused(desk.cancel("anna", &tea).await, "is cancelled");
            desk.publish(std::slice::from_ref(&tea)).await;
        }
        desk.check("cancelled").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_line_is_cancelled_by_a_cancellation_that_goes_out() {
    for mut desk in desks().await {
        let tea = line("tea", 24);
        let oil = Line { unit_cost_minor: 1_000, ..line("oil", 30) };
        desk.publish(&[tea.clone(), oil.clone()]).await;
        for line in [&tea, &oil] {
            desk.approve("anna", line).await.expect("approved");
        }
        desk.release().await;
        // On the next day, when another plan is current, the order is still to be stopped.
        let first = desk.date;
        desk.date = first + 1;
        desk.publish(&[line("rice", 10)]).await;
        desk.date = first;
        let said = desk.cancel("anna", &tea).await.expect("cancelled");
        assert_eq!((said.state.as_str(), said.release_id), ("cancelled", Some(2)));
        refused(desk.cancel("anna", &tea).await, "is cancelled already");
        // Above the limit it takes another person, who says the same.
        let wish = desk.cancel("anna", &oil).await.expect("noted");
        assert_eq!((wish.release_id, wish.exit()), (None, Exit::PlanHeld));
        let wish = desk.cancel("anna", &oil).await.expect("noted");
        assert_eq!(wish.release_id, None, "one person twice is one person");
        let done = desk.cancel("bob", &oil).await.expect("cancelled");
        assert_eq!(done.release_id, Some(3));
        assert_eq!(
            desk.out().await,
            [
                "oil 1 order 30 cancelled",
                "oil 2 cancellation 0 released",
                "tea 1 order 24 cancelled",
                "tea 2 cancellation 0 released"
            ]
        );
        // The night of the first date again, which still wants both.
        desk.publish(&[tea, oil]).await;
        desk.check("cancelled after release").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_lines_are_approved_at_once_but_no_held_one() {
    let mut desk = Desk::on(Dialect::Sqlite).await;
    desk.rules.auto = false;
    let lines = [
        line("tea", 24),
        Line { supplier: "V2", ..line("rice", 10) },
        Line { held_because: "gate_cover", ..line("oil", 30) },
    ];
    desk.publish(&lines).await;
    let filter = |supplier: Option<&str>| Filter {
        job: JOB.to_owned(),
        supplier_id: supplier.map(str::to_owned),
        location_id: None,
    };
    let all = async |filter: Filter| {
        release::approve_all(&desk.store, &desk.by("anna"), &filter, "").await
    };
    let one = all(filter(Some("V2"))).await.expect("approved");
    assert_eq!(one.len(), 1);
    assert_eq!(desk.plan().await, ["oil held 30 0", "rice approved 10 0", "tea proposed 24 0"]);
    all(filter(None)).await.expect("approved");
    assert_eq!(desk.plan().await, ["oil held 30 0", "rice approved 10 0", "tea approved 24 0"]);
    let other = Filter { job: "fresh".to_owned(), ..Filter::default() };
    refused(all(other).await, "no plan of job \"fresh\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_releases_by_itself_sends_what_nothing_stops() {
    for mut desk in desks().await {
        desk.rules.auto = true;
        let lines = [
            line("tea", 24),
            Line { held_because: "gate_cover", ..line("rice", 10) },
            Line { unit_cost_minor: 1_000, ..line("oil", 11) },
        ];
        desk.publish(&lines).await;
        let sent = desk.release().await;
        assert_eq!(desk.out().await, ["tea 1 order 24 released"]);
        assert_eq!(desk.one("SELECT approved_by FROM released_line").await, "");
        let why: Vec<Why> = sent.left.iter().map(|left| left.why).collect();
        assert_eq!(why, [Why::Waits, Why::Held]);
        desk.check("auto").await;
    }
}
