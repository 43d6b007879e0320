//! Time and answers of textbook cases from a file, for `benches/peers/textbook.py`, which gives a
//! peer the same cases in the same call.
//!
//! `cargo bench -p granary-models --bench textbook -- FILE`: FILE is a JSON list of cases. One
//! thread. Prints a line `case SECONDS ANSWER` for each: the whole way from JSON to JSON, the
//! least disturbed of several rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use granary_models::policy::textbook::solve;
use serde_json::Value;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(20);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [file] = &args[..] else {
        println!("usage: textbook FILE");
        return;
    };
    let text = std::fs::read_to_string(file).expect("a readable file of cases");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    for case in cases {
        let case = case.to_string();
        let answer = solve(&case).expect("an answer");
        println!("case {:e} {answer}", seconds(&case));
    }
}

fn seconds(case: &str) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (begun, mut times) = (Instant::now(), 0u32);
        while begun.elapsed() < ROUND {
            black_box(solve(black_box(case)).expect("an answer"));
            times += 1;
        }
        least = least.min(begun.elapsed().as_secs_f64() / f64::from(times));
    }
    least
}
