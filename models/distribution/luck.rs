//! Luck that series share: what makes a total as uncertain as it is.
//!
//! The latent values behind a series' ranks are a sum of normal tables: one that all series share,
//! one of the series' group, and one of its own (a Gaussian factor copula, Krupskii & Joe 2013).
//! Each table goes through the same filter over the days, which is linear, so a series' days depend
//! on each other as they would without company, and its ranks keep each day's demands as they are.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::paths::{Random, mix};

/// Groups beyond so many share their luck with others.
const GROUP_TABLES: usize = 256;
/// Tables of own luck; series that share one read its paths in different orders.
const OWN_TABLES: usize = 16;

/// How much of a series' luck is not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SharedLuck {
    /// Number of its group.
    pub group: u32,
    /// Shares of the latent variance that all series, and those of the group, have in common; the
    /// sum is at most 1.
    pub all: f32,
    pub of_group: f32,
}

impl SharedLuck {
    pub fn is_none(&self) -> bool {
        self.all <= 0.0 && self.of_group <= 0.0
    }
}

/// Standard normals, `values[row * paths + path]`: a row of effects that stay over the horizon,
/// then a row of fresh ones per day.
type Table = Box<[f32]>;

/// The tables of a plan, each made when it is first asked for.
#[derive(Clone, Debug)]
pub(super) struct Luck {
    paths: usize,
    rows: usize,
    seed: u64,
    all: OnceLock<Table>,
    groups: Vec<OnceLock<Table>>,
    own: Vec<OnceLock<Table>>,
}

impl Luck {
    pub fn new(paths: usize, horizon: usize, seed: u64) -> Luck {
        let rows = horizon + 1;
        let groups = vec![OnceLock::new(); GROUP_TABLES];
        Luck {
            paths,
            rows,
            seed,
            all: OnceLock::new(),
            groups,
            own: vec![OnceLock::new(); OWN_TABLES],
        }
    }

    fn table<'a>(&self, kept: &'a OnceLock<Table>, salt: u64) -> &'a Table {
        kept.get_or_init(|| {
            let mut random = Random::new(self.seed ^ mix(salt));
            (0..self.paths * self.rows).map(|_| random.normal() as f32).collect()
        })
    }

    /// Normals of a series in the form of a table: its own luck and what it shares.
    pub fn draw(&self, key: u64, shared: &SharedLuck) -> Vec<f32> {
        let own = (mix(key) % OWN_TABLES as u64) as usize;
        let group = shared.group as usize % GROUP_TABLES;
        let own = self.table(&self.own[own], 0x1_0000 + own as u64);
        let all = self.table(&self.all, 0x2_0000);
        let of_group = self.table(&self.groups[group], 0x3_0000 + group as u64);
        let (a, g) = (shared.all.clamp(0.0, 1.0), shared.of_group.clamp(0.0, 1.0));
        let shares = [a.sqrt(), g.sqrt(), (1.0 - a - g).max(0.0).sqrt()];
        let order = path_order(key, self.paths);
        let rows = own.chunks_exact(self.paths);
        let rows = rows.zip(all.chunks_exact(self.paths)).zip(of_group.chunks_exact(self.paths));
        let mut drawn = Vec::with_capacity(self.paths * self.rows);
        for ((own, all), of_group) in rows {
            let both = all.iter().zip(of_group).zip(&order);
            drawn.extend(both.map(|((all, of_group), &path)| {
                shares[0] * all + shares[1] * of_group + shares[2] * own[usize::from(path)]
            }));
        }
        drawn
    }
}

/// An order of the paths that depends on the series: every path once.
pub(super) fn path_order(key: u64, paths: usize) -> Vec<u16> {
    let bits = mix(key ^ 0x5851_F42D_4C95_7F2D);
    let offset = (bits >> 32) as usize % paths;
    let mut stride = (bits & 0xFFFF) as usize % paths;
    while divisor(stride, paths) != 1 {
        stride += 1;
    }
    (0..paths).map(|path| ((path * stride + offset) % paths) as u16).collect()
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Ranks of the values, `0..values.len()`, ties in the order they come in. `keys` is a buffer.
pub(super) fn ranks(values: &[f32], keys: &mut Vec<u64>, out: &mut [u16]) {
    keys.clear();
    keys.extend(values.iter().enumerate().map(|(path, value)| {
        let bits = value.to_bits();
        // Flipped so that unsigned numbers are in the order of the floats.
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        u64::from(ordered) << 16 | path as u64
    }));
    keys.sort_unstable();
    for (rank, key) in keys.iter().enumerate() {
        out[(key & 0xFFFF) as usize] = rank as u16;
    }
}
