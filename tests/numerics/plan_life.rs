//! Every state of a line against everything that can happen to it.

use granary_models::plan::life::LineEvent;
use granary_models::plan::line::LineState;

/// What each event makes of each state, in the order of `LineEvent::ALL`: propose, hold, approve,
/// release, release by rule, confirm, close, cancel. A dash is a refusal.
const TABLE: [(&str, [&str; 8]); 7] = [
    ("proposed", ["proposed", "held", "approved", "-", "released", "-", "-", "cancelled"]),
    ("held", ["-", "held", "approved", "-", "-", "-", "-", "cancelled"]),
    ("approved", ["proposed", "held", "approved", "released", "-", "-", "-", "cancelled"]),
    ("released", ["-", "-", "-", "-", "-", "confirmed", "closed", "cancelled"]),
    ("confirmed", ["-", "-", "-", "-", "-", "confirmed", "closed", "cancelled"]),
    ("closed", ["-"; 8]),
    ("cancelled", ["-"; 8]),
];

#[test]
fn every_state_and_event_is_as_the_table_says() {
    assert_eq!(TABLE.len(), LineState::ALL.len());
    for (name, row) in TABLE {
        let state = LineState::parse(name).expect("a state");
        for (event, wanted) in LineEvent::ALL.into_iter().zip(row) {
            let got = state.after(event);
            match LineState::parse(wanted) {
                Some(wanted) => assert_eq!(got, Ok(wanted), "{name} {event:?}"),
                None => {
                    let message = got.expect_err("a refusal").to_string();
                    let begin = format!("a {name} line cannot be {}; it can be ", event.done());
                    assert!(message.starts_with(&begin), "{message}");
                }
            }
        }
    }
}

#[test]
fn nothing_comes_back_once_it_is_out() {
    let out = [LineState::Released, LineState::Confirmed, LineState::Closed, LineState::Cancelled];
    for state in LineState::ALL {
        assert_eq!(state.is_final(), LineState::ALL.iter().all(|&next| !state.may_become(next)));
        for next in LineState::ALL {
            if out.contains(&state) && state.may_become(next) {
                assert!(next > state || next == LineState::Confirmed, "{state:?} → {next:?}");
            }
        }
        // Only approved lines, and proposed ones by rule, ever go out; a held one never does.
        let goes = state.may_become(LineState::Released);
        assert_eq!(goes, matches!(state, LineState::Approved | LineState::Proposed), "{state:?}");
    }
}
