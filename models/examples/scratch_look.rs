#[path = "../../tests/numerics/lookahead/exact.rs"]
mod exact;
use exact::*;
use granary_models::policy::projection::Issue;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args[1].parse().unwrap();
    let further: u32 = args[2].parse().unwrap();
    let seeds: u64 = args[3].parse().unwrap();
    let which = args.get(4).map(|s| s.as_str()).unwrap_or("lp");
    if which.contains('l') {
        for p in [4.0, 9.0, 19.0] {
            let system = lost_sales(p);
            let opt = match p as i64 {
                4 => 4.729,
                9 => 6.836,
                _ => 8.887,
            };
            for seed in 1..=seeds {
                for base in [false, true] {
                    let mut ours = Ours::new(&system, paths(&system.pmf, n, 40, seed));
                    ours.ahead.further_reviews = further;
                    let start = Instant::now();
                    let chain = system.chain(|s| {
                        let (q, r) = ours.decide(s);
                        (if base { r } else { q }) as u16
                    });
                    let us = start.elapsed().as_secs_f64() * 1e6 / chain.states.len() as f64;
                    let cost = chain.average();
                    println!(
                        "lost p={p} seed {seed} base {base}: {cost:.4} opt {opt:.4} gap {:.2}% states {} us {us:.1} {}",
                        100.0 * (cost / opt - 1.0),
                        chain.states.len(),
                        ours.scratch.show()
                    );
                }
            }
        }
    }
    if which.contains('p') {
        for life in [2, 3] {
            for issue in [Issue::Fifo, Issue::Lifo] {
                let system = perishable(life, issue);
                let opt = system.optimum();
                for seed in 1..=seeds {
                    for base in [false, true] {
                        let mut ours = Ours::new(&system, paths(&system.pmf, n, 40, seed));
                        ours.ahead.further_reviews = further;
                        let start = Instant::now();
                        let chain = system.chain(|s| {
                            let (q, r) = ours.decide(s);
                            (if base { r } else { q }) as u16
                        });
                        let us = start.elapsed().as_secs_f64() * 1e6 / chain.states.len() as f64;
                        let value = chain.value();
                        let shares = chain.shares();
                        let ours_v: f64 = value.iter().zip(&shares).map(|(v, s)| v * s).sum();
                        let opt_v: f64 =
                            chain.states.iter().zip(&shares).map(|(st, s)| opt.value[st] * s).sum();
                        println!(
                            "perish m={life} {issue:?} seed {seed} base {base}: {ours_v:.3} opt {opt_v:.3} gap {:.2}% empty {:.2}% states {} us {us:.1} {}",
                            100.0 * (ours_v / opt_v - 1.0),
                            100.0 * (value[0] / opt.value[&system.empty()] - 1.0),
                            chain.states.len(),
                            ours.scratch.show()
                        );
                    }
                }
            }
        }
    }
}
