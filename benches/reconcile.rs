//! Time of the reconciliation of a large panel.
//!
//! `cargo bench -p granary-models --bench reconcile -- 50000 28` makes 50,000 series of counts in six
//! levels and 28 days, forecasts of their sums that disagree with them, and prints the seconds until
//! they agree, with all threads. Every seventh series is all but dead, so that some end at zero.

use std::time::Instant;

use granary_models::forecast::reconcile::hierarchy::Hierarchy;
use granary_models::forecast::reconcile::solve::{Base, reconcile};

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let at = |k: usize, otherwise: usize| numbers.get(k).copied().unwrap_or(otherwise);
    let (series, days) = (at(0, 50_000), at(1, 28));
    let names = ["item", "category", "department", "city", "store"];
    let codes: Vec<Vec<u32>> = [865u64, 180, 32, 18, 898].map(|nodes| spread(series, nodes)).into();
    let levels = names.into_iter().zip(codes.iter().map(Vec::as_slice));
    let hierarchy = Hierarchy::new(series, levels);
    let variance = |mean: f64, dispersion: f64| 1e-3 + mean + dispersion * mean * mean;
    let made: Vec<[Vec<f64>; 4]> = (0..days)
        .map(|day| {
            let bottom: Vec<f64> = (0..series)
                .map(|i| if i % 7 == 0 { 0.001 } else { ((i * 37 + day) % 23) as f64 * 0.3 })
                .collect();
            let mut nodes = vec![0.0; hierarchy.nodes()];
            hierarchy.sums(&bottom, &mut nodes);
            let off = |n: usize| 0.8 + 0.1 * ((n * 5 + day) % 5) as f64;
            nodes.iter_mut().enumerate().for_each(|(n, node)| *node *= off(n));
            let weights = |means: &[f64], dispersion: f64| -> Vec<f64> {
                means.iter().map(|&mean| 1.0 / variance(mean, dispersion)).collect()
            };
            let (own, sums) = (weights(&bottom, 0.2), weights(&nodes, 0.002));
            [bottom, own, nodes, sums]
        })
        .collect();
    let bases: Vec<Base> = made
        .iter()
        .map(|[bottom, bottom_weight, nodes, node_weight]| Base {
            bottom,
            bottom_weight,
            nodes,
            node_weight,
        })
        .collect();
    let begun = Instant::now();
    let solved = reconcile(&hierarchy, &bases);
    let seconds = begun.elapsed().as_secs_f64();
    let zero = solved.iter().flatten().flatten().filter(|&&value| value == 0.0).count();
    let unsolved = solved.iter().filter(|day| day.is_err()).count();
    println!("{series} series x {days} days, {} sums: {seconds:.2} s", hierarchy.nodes());
    println!("{zero} values are zero, {unsolved} days without a solution");
}

fn spread(series: usize, nodes: u64) -> Vec<u32> {
    (0..series as u64)
        .map(|i| ((i + nodes).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u32 % nodes as u32)
        .collect()
}
