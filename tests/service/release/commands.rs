//! The same life by the command line: what it prints and the codes it ends with.

use std::process::Command;

use serde_json::Value;

use crate::desk::{Desk, Line, desks, line};
use crate::support::jobs_folder;

/// Runs `granary … --json` and gives its exit code and answer; an error's text where it has none.
fn granary(desk: &Desk, arguments: &[&str]) -> (i32, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_granary"))
        .env_remove("GRANARY_ACTOR")
        .env("USER", "olga")
        .arg("--db")
        .arg(&desk.address)
        .arg("--jobs")
        .arg(jobs_folder())
        .arg("--json")
        .args(arguments)
        .output()
        .expect("the program runs");
    let code = output.status.code().expect("an exit code");
    let answer = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&output.stderr).into_owned()));
    (code, answer)
}

/// Words that the answer, as text, must hold.
fn check(desk: &Desk, arguments: &[&str], code: i32, words: &[&str]) -> Value {
    let (got, answer) = granary(desk, arguments);
    let text = answer.to_string();
    assert_eq!(got, code, "{arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "{arguments:?} should say {word:?}: {text}");
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_by_commands() {
    for desk in desks().await {
        let (tea, rice) = (line("tea", 24), line("rice", 10));
        let oil = Line { held_because: "gate_cover", ..line("oil", 30) };
        desk.publish(&[tea.clone(), rice.clone(), oil.clone()]).await;
        let keys = [&tea, &rice, &oil].map(|line| line.key(desk.date));
        let [tea, rice, oil] = keys.each_ref().map(String::as_str);

        check(&desk, &["release", "nightly", "--dry-run"], 4, &["\"release_id\":null", "held"]);
        check(&desk, &["approve", tea, "--as", "anna"], 0, &["approved"]);
        check(&desk, &["approve", tea, "--as", "granary"], 2, &["is the program's own"]);
        check(&desk, &["approve", "nothing"], 2, &["there is no line"]);
        check(&desk, &["approve"], 2, &["LINE"]);
        check(&desk, &["override", tea, "--qty", "13", "--reason", "r"], 3, &["no multiple of 12"]);
        check(
            &desk,
            &["override", tea, "--qty", "108", "--reason", "feast"],
            4,
            &["another than olga"],
        );
        check(&desk, &["approve", tea], 4, &["olga amended this line"]);
        check(&desk, &["approve", tea, "--as", "anna"], 0, &["approved", "108"]);
        check(&desk, &["approve", "--all", "nightly", "--as", "anna"], 0, &[rice]);
        check(&desk, &["stop", "supplier", "V9", "--reason", "r"], 2, &["nothing was stopped"]);
        check(&desk, &["stop", "supplier", "V1", "--reason", "recall"], 0, &["true"]);
        check(&desk, &["stop"], 0, &["recall", "olga"]);
        check(&desk, &["release", "nightly"], 4, &["stopped", "recall"]);
        check(&desk, &["go", "supplier", "V1", "--reason", "cleared"], 0, &["false"]);
        check(&desk, &["release", "nightly", "--date", "2090-01-01"], 2, &["cannot be released"]);
        let sent = check(&desk, &["release", "nightly"], 4, &["gate_cover", "\"release_id\":1"]);
        assert_eq!(sent["released"].as_array().expect("lines").len(), 2);

        let pulled = check(&desk, &["released", "erp"], 0, &[tea, rice]);
        assert_eq!(pulled.as_array().expect("lines").len(), 2);
        let ack =
            ["ack", "erp", tea, "--qty", "96", "--date", "2090-10-28", "--order-number", "PO-7"];
        check(&desk, &ack, 0, &["\"novelty\":\"new\""]);
        check(&desk, &ack, 0, &["\"novelty\":\"known\""]);
        check(&desk, &["released", "erp", "--after", "1"], 0, &["[]"]);
        check(&desk, &["close", tea, "--reason", "received"], 0, &["\"was_closed\":false"]);
        check(&desk, &["close", tea], 0, &["\"was_closed\":true"]);
        check(&desk, &["ack", "erp", "nothing"], 2, &["was released"]);
        check(&desk, &["cancel-line", rice, "--reason", "not wanted"], 0, &["\"release_id\":2"]);
        check(
            &desk,
            &["close", rice, "--revision", "1"],
            1,
            &["a cancelled line cannot be closed"],
        );
        check(&desk, &["cancel", oil, "--reason", "not wanted"], 0, &["cancelled"]);
        check(&desk, &["release", "nightly"], 0, &["\"release_id\":null", "\"left\":[]"]);

        let told = check(&desk, &["explain", "tea", "S1"], 0, &[]);
        let told: Vec<&str> = told["told"]
            .as_array()
            .expect("a history")
            .iter()
            .map(|entry| entry["what"].as_str().expect("a word"))
            .collect();
        let all = ["approve", "override", "approve", "order", "acknowledge", "close"];
        let mut sorted = told.clone();
        sorted.sort_unstable();
        let mut wanted = all.to_vec();
        wanted.sort_unstable();
        assert_eq!(sorted, wanted, "{told:?}");
        desk.check("by commands").await;
    }
}
