//! The solver's laws, on random hierarchies.

use granary_models::forecast::reconcile::hierarchy::Hierarchy;
use granary_models::forecast::reconcile::solve::{Base, Unsolved, reconcile, reconcile_day};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    hierarchy: Hierarchy,
    bottom: Vec<f64>,
    bottom_weight: Vec<f64>,
    nodes: Vec<f64>,
    node_weight: Vec<f64>,
}

impl Case {
    fn base(&self) -> Base<'_> {
        Base {
            bottom: &self.bottom,
            bottom_weight: &self.bottom_weight,
            nodes: &self.nodes,
            node_weight: &self.node_weight,
        }
    }

    fn solve(&self) -> Vec<f64> {
        reconcile_day(&self.hierarchy, &self.base()).expect("a sound case has a solution")
    }

    /// The loss' slope in each series.
    fn slope(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.hierarchy.nodes()];
        self.hierarchy.sums(values, &mut sums);
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum = self.node_weight[n] * (*sum - self.nodes[n]);
        }
        let mut slope: Vec<f64> = (0..values.len())
            .map(|b| self.bottom_weight[b] * (values[b] - self.bottom[b]))
            .collect();
        self.hierarchy.add_spread(&sums, &mut slope);
        slope
    }

    fn diagonal(&self) -> Vec<f64> {
        let mut diagonal = self.bottom_weight.clone();
        self.hierarchy.add_spread(&self.node_weight, &mut diagonal);
        diagonal
    }
}

fn hierarchy(categories: &[u32], cities: &[u32]) -> Hierarchy {
    Hierarchy::new(categories.len(), [("category", categories), ("city", cities)])
}

/// `low` is the least forecast of a node as a share of the most.
fn case(low: f64) -> impl Strategy<Value = Case> {
    (2usize..30)
        .prop_flat_map(move |n| {
            let codes = || proptest::collection::vec(0u32..5, n);
            let per = |range: std::ops::Range<f64>, n| proptest::collection::vec(range, n);
            (
                codes(),
                codes(),
                per(0.0..50.0, n),
                per(-4.0..4.0, n),
                per(low..1.0, 11),
                per(-6.0..4.0, 11),
            )
        })
        .prop_map(|(categories, cities, bottom, logs, shares, node_logs)| {
            let hierarchy = hierarchy(&categories, &cities);
            let most = 60.0 * bottom.len() as f64;
            let nodes = (0..hierarchy.nodes()).map(|n| most * shares[n % 11] / (1 + n) as f64);
            Case {
                nodes: nodes.collect(),
                node_weight: (0..hierarchy.nodes()).map(|n| node_logs[n % 11].exp()).collect(),
                bottom_weight: logs.iter().map(|log| log.exp()).collect(),
                bottom,
                hierarchy,
            }
        })
}

/// Gaussian elimination with pivoting; small and dense, to check against.
fn solve_dense(mut rows: Vec<Vec<f64>>) -> Vec<f64> {
    let n = rows.len();
    for at in 0..n {
        let pivot = (at..n).max_by(|&a, &b| rows[a][at].abs().total_cmp(&rows[b][at].abs()));
        rows.swap(at, pivot.expect("not empty"));
        let head = rows[at].clone();
        for row in rows.iter_mut().skip(at + 1) {
            let factor = row[at] / head[at];
            row.iter_mut().zip(&head).for_each(|(value, head)| *value -= factor * head);
        }
    }
    let mut solution = vec![0.0; n];
    for at in (0..n).rev() {
        let known: f64 = (at + 1..n).map(|k| rows[at][k] * solution[k]).sum();
        solution[at] = (rows[at][n] - known) / rows[at][at];
    }
    solution
}

/// `(S' W S)⁻¹ S' W ŷ` with the summing matrix written out.
fn dense(case: &Case) -> Vec<f64> {
    let n = case.bottom.len();
    let mut summing = vec![vec![0.0; n]; n + case.hierarchy.nodes()];
    (0..n).for_each(|b| summing[b][b] = 1.0);
    case.hierarchy.each(|node, series| summing[n + node][series] = 1.0);
    let weights: Vec<f64> = case.bottom_weight.iter().chain(&case.node_weight).copied().collect();
    let made: Vec<f64> = case.bottom.iter().chain(&case.nodes).copied().collect();
    let rows = (0..n)
        .map(|i| {
            let cell = |j: usize| {
                let terms = summing.iter().zip(&weights).map(|(row, w)| row[i] * w * row[j]);
                terms.sum::<f64>()
            };
            let mut row: Vec<f64> = (0..n).map(cell).collect();
            let right = summing.iter().zip(&weights).zip(&made).map(|((row, w), y)| row[i] * w * y);
            row.push(right.sum());
            row
        })
        .collect();
    solve_dense(rows)
}

fn near(got: &[f64], want: &[f64], share: f64) -> bool {
    let most = want.iter().fold(1e-9f64, |most, value| most.max(value.abs()));
    got.iter().zip(want).all(|(got, want)| (got - want).abs() <= share * most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_conditions_of_an_optimum_hold(case in case(-1.0)) {
        let values = case.solve();
        let most = values.iter().chain(&case.bottom).fold(1.0f64, |m, v| m.max(v.abs()));
        let (slopes, diagonals) = (case.slope(&values), case.diagonal());
        for ((value, slope), diagonal) in values.iter().zip(slopes).zip(diagonals) {
            prop_assert!(*value >= 0.0);
            let wish = -slope / diagonal;
            // Where there is demand the loss is flat, where there is none it would rise.
            prop_assert!(wish <= 1e-7 * most, "{wish}");
            prop_assert!(*value == 0.0 || wish.abs() <= 1e-7 * most, "{value} {wish}");
        }
    }

    #[test]
    fn without_a_negative_it_is_the_dense_formula(case in case(0.0)) {
        let want = dense(&case);
        prop_assume!(want.iter().all(|value| *value >= 0.0));
        let got = case.solve();
        prop_assert!(near(&got, &want, 1e-7), "{got:?} {want:?}");
    }

    #[test]
    fn coherent_forecasts_stay_as_they_are(case in case(0.0)) {
        let mut case = case;
        case.hierarchy.sums(&case.bottom.clone(), &mut case.nodes);
        let got = case.solve();
        prop_assert!(near(&got, &case.bottom, 1e-8));
    }

    #[test]
    fn the_unit_does_not_matter(case in case(-0.5), unit in 0.001f64..1e6) {
        let mut scaled = case.clone();
        scaled.bottom.iter_mut().for_each(|value| *value *= unit);
        scaled.nodes.iter_mut().for_each(|value| *value *= unit);
        scaled.bottom_weight.iter_mut().for_each(|weight| *weight /= unit * unit);
        scaled.node_weight.iter_mut().for_each(|weight| *weight /= unit * unit);
        let want: Vec<f64> = case.solve().iter().map(|value| value * unit).collect();
        prop_assert!(near(&scaled.solve(), &want, 1e-7));
    }

    #[test]
    fn the_order_of_series_does_not_matter(
        codes in proptest::collection::vec((0u32..4, 0u32..3, 0.0f64..9.0), 2..20),
    ) {
        let make = |codes: &[(u32, u32, f64)]| {
            let categories: Vec<u32> = codes.iter().map(|code| code.0).collect();
            let cities: Vec<u32> = codes.iter().map(|code| code.1).collect();
            let hierarchy = hierarchy(&categories, &cities);
            // Forecasts and weights follow the label, not the number.
            let mut nodes = vec![0.0; hierarchy.nodes()];
            hierarchy.each(|node, series| {
                let (category, city, _) = codes[series];
                let level = (0..hierarchy.levels().len())
                    .find(|&level| hierarchy.nodes_of(level).contains(&node));
                let label = match &*hierarchy.levels()[level.expect("every node has one")].name {
                    "category" => category,
                    "city" => 10 + city,
                    _ => 20,
                };
                nodes[node] = f64::from(label * 7 % 11);
            });
            let node_weight = vec![0.3; nodes.len()];
            let bottom: Vec<f64> = codes.iter().map(|code| code.2).collect();
            Case { hierarchy, bottom_weight: vec![1.0; bottom.len()], bottom, nodes, node_weight }
        };
        let turned: Vec<(u32, u32, f64)> = codes.iter().rev().copied().collect();
        let mut got = make(&turned).solve();
        got.reverse();
        prop_assert!(near(&got, &make(&codes).solve(), 1e-7));
    }
}

/// Many days of a large random hierarchy.
fn large(series: usize, days: usize) -> (Hierarchy, Vec<Case>) {
    let code = |salt: u64, below: u64| -> Vec<u32> {
        (0..series as u64)
            .map(|i| ((i + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u32 % below as u32)
            .collect()
    };
    let codes = [code(1, 900), code(2, 80), code(3, 30), code(4, 18), code(5, 700)];
    let names = ["item", "category", "department", "city", "store"];
    let levels = names.into_iter().zip(codes.iter().map(Vec::as_slice));
    let hierarchy = Hierarchy::new(series, levels);
    let cases = (0..days)
        .map(|day| {
            let bottom: Vec<f64> =
                (0..series).map(|i| ((i * 37 + day) % 23) as f64 * 0.3).collect();
            let mut nodes = vec![0.0; hierarchy.nodes()];
            hierarchy.sums(&bottom, &mut nodes);
            let variance = |y: f64| y.max(0.05) + 0.05 * y * y;
            for (n, node) in nodes.iter_mut().enumerate() {
                *node *= 0.7 + 0.1 * ((n + day) % 5) as f64;
            }
            Case {
                bottom_weight: bottom.iter().map(|&y| 1.0 / variance(y)).collect(),
                node_weight: nodes.iter().map(|&y| 1.0 / variance(y)).collect(),
                bottom,
                nodes,
                hierarchy: hierarchy.clone(),
            }
        })
        .collect();
    (hierarchy, cases)
}

#[test]
fn threads_leave_no_trace() {
    let (hierarchy, cases) = large(3_000, 6);
    let bases: Vec<Base> = cases.iter().map(Case::base).collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let made = pool.expect("threads").install(|| reconcile(&hierarchy, &bases));
        let made: Vec<Vec<f64>> = made.into_iter().map(|day| day.expect("solved")).collect();
        made.concat().iter().map(|value| value.to_bits()).collect::<Vec<u64>>()
    };
    let one = run(1);
    assert!(one == run(2) && one == run(5));
}

#[test]
fn what_is_no_number_is_refused() {
    let sound = large(40, 1).1.remove(0);
    for spoil in [
        |case: &mut Case| case.bottom[3] = f64::NAN,
        |case: &mut Case| case.nodes[0] = f64::INFINITY,
        |case: &mut Case| case.bottom_weight[5] = 0.0,
        |case: &mut Case| case.node_weight[2] = f64::NAN,
    ] {
        let mut case = sound.clone();
        spoil(&mut case);
        assert_eq!(reconcile_day(&case.hierarchy, &case.base()), Err(Unsolved::NotANumber));
    }
}
