//! Whatever people, purchasing and nights do in whatever order, nothing is ordered twice.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use granary::config::Refused;
use granary::jobs::release::{self, Scope, Told};
use granary::store::db::Dialect;
use granary_models::plan::life::Illegal;
use granary_models::plan::line::LineState;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::desk::{Desk, Line, line};

const ITEMS: [&str; 3] = ["tea", "rice", "oil"];
const PEOPLE: [&str; 3] = ["anna", "bob", "cara"];

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Act {
    Approve(usize, usize),
    Withdraw(usize, usize),
    Amend(usize, usize, i64),
    Cancel(usize, usize),
    Release,
    /// The night again: of each item a quantity (0: no line) and whether a gate holds it.
    Plan([(i64, bool); 3]),
    Ack(usize, Option<i64>, Option<i64>),
    Close(usize),
    Stop(bool),
    Go(bool),
    Wait(i64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let item = 0..ITEMS.len();
    let who = 0..PEOPLE.len();
    let qty = prop_oneof![Just(0), Just(12), Just(24), Just(36), Just(132), Just(1_032)];
    let planned =
        [(qty.clone(), any::<bool>()), (qty.clone(), any::<bool>()), (qty.clone(), any::<bool>())];
    let act = prop_oneof![
        4 => (who.clone(), item.clone()).prop_map(|(who, item)| Act::Approve(who, item)),
        1 => (who.clone(), item.clone()).prop_map(|(who, item)| Act::Withdraw(who, item)),
        2 => (who.clone(), item.clone(), qty).prop_map(|(who, item, qty)| Act::Amend(who, item, qty)),
        1 => (who, item.clone()).prop_map(|(who, item)| Act::Cancel(who, item)),
        4 => Just(Act::Release),
        3 => planned.prop_map(Act::Plan),
        2 => (item.clone(), proptest::option::of(1_i64..4), proptest::option::of(0_i64..50))
            .prop_map(|(item, revision, qty)| Act::Ack(item, revision, qty)),
        1 => item.prop_map(Act::Close),
        1 => any::<bool>().prop_map(Act::Stop),
        1 => any::<bool>().prop_map(Act::Go),
        1 => (1_i64..200).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 1..40)
}

async fn carry_out(desk: &mut Desk, act: &Act) -> anyhow::Result<()> {
    let of = |item: &usize| line(ITEMS[*item], 1);
    let key = |item: &usize| of(item).key(desk.date);
    // Every act at an instant of its own: what came first is told by its time.
    desk.now += TimeDelta::seconds(1);
    match act {
        Act::Approve(who, item) => drop(desk.approve(PEOPLE[*who], &of(item)).await?),
        Act::Withdraw(who, item) => {
            let by = desk.by(PEOPLE[*who]);
            drop(release::withdraw(&desk.store, &by, &key(item), "no").await?);
        }
        Act::Amend(who, item, qty) => drop(desk.amend(PEOPLE[*who], &of(item), *qty).await?),
        Act::Cancel(who, item) => drop(desk.cancel(PEOPLE[*who], &of(item)).await?),
        Act::Release => drop(desk.try_release().await?),
        Act::Plan(planned) => {
            let planned = ITEMS.iter().zip(planned).filter(|(_, (qty, _))| *qty > 0);
            let lines: Vec<Line> = planned
                .map(|(item, &(qty, held))| Line {
                    held_because: if held { "gate_cover" } else { "" },
                    ..line(item, qty)
                })
                .collect();
            desk.publish(&lines).await;
        }
        Act::Ack(item, revision, confirmed_qty) => {
            let told = Told { confirmed_qty: *confirmed_qty, ..Told::default() };
            drop(desk.ack("erp", &of(item), *revision, told).await?);
        }
        Act::Close(item) => {
            drop(release::close(&desk.store, &desk.by("dock"), (&key(item), None), "").await?);
        }
        Act::Stop(all) | Act::Go(all) => {
            let by = desk.by("olga");
            let (scope, id) = if *all { (Scope::All, "") } else { (Scope::Supplier, "V1") };
            match act {
                Act::Stop(_) => drop(release::stop(&desk.store, &by, scope, id, "why").await?),
                _ => drop(release::go(&desk.store, &by, scope, id, "why").await?),
            }
        }
        Act::Wait(hours) => desk.now += TimeDelta::hours(*hours),
    }
    Ok(())
}

/// What never changes of each released line, and its state.
async fn released(desk: &Desk) -> BTreeMap<String, (Vec<String>, LineState)> {
    let rows = desk
        .rows(
            "SELECT line_key, revision, change, qty, value_minor, release_id, proposed_qty, \
             approved_by, held_because, released_at, reason, state FROM released_line",
        )
        .await;
    rows.into_iter()
        .map(|mut row| {
            let state = LineState::parse(&row.pop().expect("a state")).expect("a state");
            (format!("{} {}", row[0], row[1]), (row, state))
        })
        .collect()
}

async fn story(acts: &[Act]) -> Result<usize, TestCaseError> {
    let mut desk = Desk::on(Dialect::Sqlite).await;
    desk.rules.auto = acts.len().is_multiple_of(2);
    let mut before: BTreeMap<String, (Vec<String>, LineState)> = BTreeMap::new();
    for (n, act) in acts.iter().enumerate() {
        if let Err(error) = carry_out(&mut desk, act).await {
            let known = error.is::<Refused>() || error.is::<Illegal>();
            prop_assert!(known, "act {n} {act:?}: {error:#}");
        }
        let now = released(&desk).await;
        for (key, (line, state)) in &before {
            let (same, later) = now.get(key).expect("a released line is never lost");
            prop_assert_eq!(line, same, "act {} {:?} changed what went out", n, act);
            let legal = state == later || state.may_become(*later);
            prop_assert!(legal, "act {n} {act:?}: {state:?} → {later:?}");
        }
        let mut in_force: BTreeMap<&str, u32> = BTreeMap::new();
        for (line, state) in now.values() {
            *in_force.entry(&line[0]).or_default() += u32::from(state.is_in_force());
            prop_assert!(line[8].is_empty() || !line[7].is_empty(), "a held line went by itself");
        }
        prop_assert!(in_force.values().all(|&lines| lines <= 1), "act {n} {act:?}: {in_force:?}");
        let broken = desk.broken().await;
        prop_assert!(broken.is_empty(), "act {n} {act:?}: {broken:?}");
        before = now;
    }
    Ok(before.len())
}

#[test]
fn no_order_of_acts_doubles_a_line() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let went_out = std::cell::Cell::new(0);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let told = runner.run(&acts(), |acts| {
        let lines = runtime.block_on(story(&acts))?;
        went_out.set(went_out.get() + lines);
        Ok(())
    });
    told.unwrap_or_else(|error| panic!("{error}"));
    assert!(went_out.get() > 0, "stories in which nothing goes out prove nothing");
}
