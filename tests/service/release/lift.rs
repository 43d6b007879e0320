//! A plan that gates hold is published by somebody who has looked at it, as it stands or not at all.

use granary::config::{Actor, Job, Role};
use granary::jobs::demo::DemoConfig;
use granary::jobs::nightly::{self, Lift, RunOptions, RunOutcome};
use granary::jobs::release::By;
use granary::store::db;

use crate::desk::refused;
use crate::invariants::assert_sound;
use crate::support::{Shop, dump, nightly_job};

fn by(name: &str) -> By {
    let actor = Actor::new(name, Role::Local).expect("a name");
    By { actor, at: granary::config::clock::now() }
}

/// Holds every plan that buys anything.
fn strict() -> Job {
    let mut job = nightly_job();
    job.gates.max_run_value_minor = 1;
    job
}

async fn night(shop: &Shop, job: &Job, lift: Option<Lift>) -> RunOutcome {
    let options = RunOptions { lift, ..RunOptions::default() };
    nightly::run(&shop.store, job, shop.config.business_date, &options).await.expect("a night")
}

async fn texts(shop: &Shop, sql: &'static str) -> Vec<String> {
    db::query_scalar(sql)
        .fetch_all(&mut shop.store.snapshot().await.expect("a snapshot"))
        .await
        .expect(sql)
}

/// The plan without what differs by intent: its name, its state, and what is only kept of published
/// plans.
async fn plan_of(shop: &Shop) -> String {
    let plan = dump(&shop.store).await.replace("!held", "");
    let lines = plan.lines().filter(|line| !line.starts_with("run\t"));
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_plan_goes_out_as_it_was_seen_or_not_at_all() {
    let shop = Shop::open(DemoConfig { items: 60, days: 200, ..DemoConfig::default() }).await;
    let job = strict();
    let lift = async |digest: Option<&str>, reason: &str| {
        Lift::of(&shop.store, ("nightly", None), digest, by("anna"), reason).await
    };
    refused(lift(None, "seen").await, "no plan of job \"nightly\" is held");
    let held = night(&shop, &job, None).await;
    assert_eq!(held.held_because, ["gate_run_value"]);
    assert!(held.run_id.ends_with("!held"));
    let seen = plan_of(&shop).await;
    refused(lift(None, " ").await, "is empty");
    refused(lift(Some("another"), "seen").await, "another was looked at");

    let digest = lift(None, "the season's first order").await.expect("a held plan").plan_digest;
    let word = lift(Some(&digest), "the season's first order").await.expect("the same plan");
    let published = night(&shop, &job, Some(word)).await;
    assert_eq!(published.not_lifted, None);
    assert_eq!(published.held_because, Vec::<String>::new());
    assert_eq!(published.lifted, ["gate_run_value"]);
    assert_eq!(plan_of(&shop).await, seen, "what was seen is what is published");
    let states = "SELECT run_id || ' ' || state || ' ' || held_because FROM run ORDER BY run_id";
    assert_eq!(texts(&shop, states).await, [format!("{} published ", published.run_id)]);
    let said = "SELECT line_key || ' ' || held_because || ' ' || old_state || ' ' || new_state \
                || ' ' || actor || ' ' || reason FROM approval";
    let want = "gate_run_value held published anna the season's first order";
    assert_eq!(texts(&shop, said).await, [format!("{} {want}", published.run_id)]);
    let detail = "SELECT detail FROM run_attempt ORDER BY attempt_id DESC LIMIT 1";
    let want = "gate_run_value lifted by anna: the season's first order";
    assert_eq!(texts(&shop, detail).await, [want]);
    refused(lift(None, "seen").await, "is held");
    assert_sound(shop.db(), "lifted").await;

    // Held anew beside the published plan, and then the inputs change under the eyes of who looks.
    assert_eq!(night(&shop, &job, None).await.held_because, ["gate_run_value"]);
    let word = lift(None, "seen").await.expect("a held plan");
    let emptied = "UPDATE stock SET on_hand = on_hand / 3";
    shop.store.execute(db::query(emptied)).await.expect("less stock");
    let outcome = night(&shop, &job, Some(word)).await;
    assert_eq!(outcome.held_because[0], "gate_run_value", "{:?}", outcome.held_because);
    let why = outcome.not_lifted.expect("why it was not lifted");
    assert!(why.contains("look again"), "{why}");
    assert_eq!(texts(&shop, said).await.len(), 1, "nobody's word was taken");
    assert_eq!(texts(&shop, "SELECT state FROM run ORDER BY state").await, ["held", "published"]);
    assert_sound(shop.db(), "not lifted").await;
}
