//! What goes out, and whose word it takes.

use granary_models::plan::line::LineState;
use granary_models::plan::release::{
    Amended, Approval, LastReleased, Offer, Planned, ReleaseRules, Wanted, judge, same_person,
};
use proptest::prelude::*;

const AUTO: ReleaseRules = ReleaseRules {
    auto: true,
    approve_above_minor: 10_000,
    second_person_above_minor: 100_000,
    override_expires_days: 7,
    approval_expires_days: 7,
    on_order_days: 7,
};

fn planned(qty: i64, held_because: &str) -> Planned<'_> {
    Planned { qty, unit_cost_minor: 100, per_base: 1, held_because }
}

fn last(qty: i64, proposed_qty: i64, state: LineState) -> LastReleased {
    LastReleased { revision: 1, state, qty, value_minor: 100 * qty, proposed_qty, override_id: 5 }
}

fn amended(override_id: i64, qty: i64, over_limits: bool) -> Amended<'static> {
    Amended { override_id, qty, author: "anna", over_limits }
}

/// (people who approve the offer as it stands) → (how many more it takes, the state).
fn check(
    planned: Option<Planned>,
    last: Option<LastReleased>,
    amended: Option<Amended>,
    people: &[&str],
    rules: &ReleaseRules,
    expected: (Wanted, usize, LineState),
) {
    let first = judge(planned.as_ref(), last.as_ref(), amended.as_ref(), &[], rules);
    let approvals: Vec<Approval> = match &first.offer {
        Some(offer) => {
            people.iter().map(|person| Approval { person, offer: offer.clone() }).collect()
        }
        None => Vec::new(),
    };
    let got = judge(planned.as_ref(), last.as_ref(), amended.as_ref(), &approvals, rules);
    assert_eq!(
        (got.wanted, got.missing, got.state),
        expected,
        "{planned:?} {last:?} {amended:?} {people:?}"
    );
    assert_eq!(got.may_go(), got.offer.is_some() && got.missing == 0);
}

#[test]
fn what_goes_by_itself_and_what_waits_for_whom() {
    use LineState::{Approved, Held, Proposed};
    let by_hand = ReleaseRules { auto: false, ..AUTO };
    let order = |qty| Wanted::Order { qty };
    for (qty, gate, override_of, people, rules, missing, state) in [
        (10, "", None, &[][..], &AUTO, 0, Proposed),
        (100, "", None, &[], &AUTO, 0, Proposed), // the limit itself is not over it
        (101, "", None, &[], &AUTO, 1, Proposed),
        (101, "", None, &["bob"], &AUTO, 0, Approved),
        (10, "gate_cover", None, &[], &AUTO, 1, Held),
        (10, "gate_cover", None, &["bob"], &AUTO, 0, Approved),
        (10, "", None, &[], &by_hand, 1, Proposed),
        (10, "", None, &["bob"], &by_hand, 0, Approved),
        (1_001, "", None, &[], &AUTO, 2, Proposed),
        (1_001, "", None, &["bob"], &AUTO, 1, Proposed),
        (1_001, "", None, &["bob", " BOB "], &AUTO, 1, Proposed),
        (1_001, "", None, &["bob", "cara"], &AUTO, 0, Approved),
        // An override below the limits needs nobody, or its author's own word where one is needed.
        (10, "", Some((20, false)), &[], &AUTO, 0, Proposed),
        (10, "", Some((20, false)), &["anna"], &by_hand, 0, Approved),
        // Above the limit, or against one, the author's word does not count.
        (10, "", Some((101, false)), &["anna"], &AUTO, 1, Proposed),
        (10, "", Some((101, false)), &["Anna "], &AUTO, 1, Proposed),
        (10, "", Some((101, false)), &["bob"], &AUTO, 0, Approved),
        (10, "", Some((20, true)), &["anna"], &AUTO, 1, Proposed),
        (10, "", Some((20, true)), &["bob"], &AUTO, 0, Approved),
        // The author is the first of two people.
        (10, "", Some((1_001, false)), &["anna"], &AUTO, 1, Proposed),
        (10, "", Some((1_001, false)), &["bob"], &AUTO, 0, Approved),
        (10, "gate_cover", Some((20, false)), &[], &AUTO, 1, Held),
    ] {
        let over = override_of.map(|(qty, over_limits)| amended(9, qty, over_limits));
        let wanted = order(over.as_ref().map_or(qty, |over| over.qty));
        check(Some(planned(qty, gate)), None, over, people, rules, (wanted, missing, state));
    }
}

#[test]
fn what_was_released_is_not_ordered_again() {
    use LineState::{Approved, Cancelled, Closed, Confirmed, Held, Proposed, Released};
    let revision = |qty| Wanted::Revision { revises: 1, qty };
    let cancellation = Wanted::Cancellation { revises: 1 };
    for (qty, gate, released, over, people, expected) in [
        (Some(12), "", last(12, 12, Released), None, &[][..], (Wanted::AsReleased, 0, Released)),
        (Some(12), "g", last(12, 12, Confirmed), None, &[], (Wanted::AsReleased, 0, Confirmed)),
        // It went out at another quantity than the night's, and the night says the same again.
        (Some(12), "", last(20, 12, Released), None, &[], (Wanted::AsReleased, 0, Released)),
        (Some(20), "", last(20, 12, Released), None, &[], (Wanted::AsReleased, 0, Released)),
        // Changes wait for a person, also where the job releases by itself.
        (Some(15), "", last(12, 12, Released), None, &[], (revision(15), 1, Proposed)),
        (Some(15), "", last(12, 12, Released), None, &["bob"], (revision(15), 0, Approved)),
        (Some(15), "g", last(12, 12, Released), None, &[], (revision(15), 1, Held)),
        (None, "", last(12, 12, Confirmed), None, &[], (cancellation, 1, Proposed)),
        (None, "", last(12, 12, Confirmed), None, &["bob"], (cancellation, 0, Approved)),
        // What is received or was cancelled by people stays so.
        (None, "", last(12, 12, Closed), None, &[], (Wanted::AsReleased, 0, Closed)),
        (Some(15), "", last(12, 12, Closed), None, &[], (Wanted::AsReleased, 0, Closed)),
        (Some(12), "", last(0, 12, Released), None, &[], (Wanted::AsReleased, 0, Cancelled)),
        // What was cancelled because the plan had dropped it comes back as a revision.
        (Some(12), "", last(0, 0, Released), None, &[], (revision(12), 1, Proposed)),
        // An override that the release has used up is history; a newer one is a change.
        (
            Some(12),
            "",
            last(12, 12, Released),
            Some(amended(5, 20, false)),
            &[],
            (Wanted::AsReleased, 0, Released),
        ),
        (
            Some(12),
            "",
            last(12, 12, Released),
            Some(amended(6, 20, false)),
            &["anna"],
            (revision(20), 0, Approved),
        ),
        (
            Some(12),
            "",
            last(12, 12, Released),
            Some(amended(6, 0, false)),
            &["anna"],
            (cancellation, 0, Approved),
        ),
    ] {
        let plan = qty.map(|qty| planned(qty, gate));
        check(plan, Some(released), over, people, &AUTO, expected);
    }
}

#[test]
fn a_cancelled_proposal_orders_nothing() {
    let over = Some(amended(1, 0, false));
    let expected = (Wanted::Nothing, 0, LineState::Cancelled);
    check(Some(planned(12, "")), None, over, &["anna", "bob"], &AUTO, expected);
}

#[test]
fn an_approval_is_of_what_was_seen() {
    let now = planned(200, "gate_cover");
    let seen = judge(Some(&now), None, None, &[], &AUTO).offer.expect("an offer");
    assert_eq!((seen.qty, seen.value_minor, seen.revision), (200, 20_000, 1));
    let others = [
        Offer { qty: 201, ..seen.clone() },
        Offer { value_minor: 20_001, ..seen.clone() },
        Offer { held_because: "gate_quantity", ..seen.clone() },
        Offer { revision: 2, ..seen.clone() },
    ];
    for other in others {
        let approvals = [Approval { person: "bob", offer: other }];
        let judged = judge(Some(&now), None, None, &approvals, &AUTO);
        assert_eq!((judged.missing, judged.state), (1, LineState::Held), "{approvals:?}");
    }
}

#[test]
fn names_in_other_letters_are_one_person() {
    for (a, b, same) in [("Anna", "anna ", true), ("王芳", "王芳", true), ("anna", "ann", false)]
    {
        assert_eq!(same_person(a, b), same, "{a} {b}");
    }
}

proptest! {
    /// Whatever is said, a held line takes a person, an author past a limit is not enough, and two
    /// people are two people.
    #[test]
    fn no_line_goes_without_the_word_it_takes(
        qty in 1_i64..3_000,
        held in any::<bool>(),
        auto in any::<bool>(),
        over in proptest::option::of((1_i64..3_000, any::<bool>())),
        people in proptest::collection::vec(prop_oneof![Just("anna"), Just("ANNA"), Just("bob")], 0..4),
    ) {
        let rules = ReleaseRules { auto, ..AUTO };
        let plan = planned(qty, if held { "gate_cover" } else { "" });
        let over = over.map(|(qty, over_limits)| amended(1, qty, over_limits));
        let offer = judge(Some(&plan), None, over.as_ref(), &[], &rules).offer.expect("an offer");
        let approvals: Vec<Approval> =
            people.iter().map(|person| Approval { person, offer: offer.clone() }).collect();
        let judged = judge(Some(&plan), None, over.as_ref(), &approvals, &rules);
        let anna = people.iter().any(|person| same_person(person, "anna"));
        let bob = people.contains(&"bob");
        if judged.may_go() {
            prop_assert!(!held || anna || bob);
            prop_assert!(auto || anna || bob);
            prop_assert!(offer.value_minor <= AUTO.second_person_above_minor
                || (bob && (anna || over.is_some())));
            let limited = over.as_ref().is_some_and(|over| over.over_limits
                || offer.value_minor > AUTO.approve_above_minor);
            prop_assert!(!limited || bob);
        } else {
            prop_assert!(!(anna && bob), "two people are always enough");
            prop_assert!(judged.state != LineState::Approved);
        }
        if judged.state == LineState::Approved {
            prop_assert!(judged.may_go());
        }
    }
}
