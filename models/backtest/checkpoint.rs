//! A night in pieces, so that one that was killed need not begin again.
//!
//! What is dear and concerns single series (trials, last fits, following what is remembered) is done
//! partition by partition: a partition holds the series whose keys hash to it, whatever their order.
//! What all series teach together (effects, trees) is one piece of its own. Every piece is handed
//! out when it is made and asked for before it is made. A piece restores to the same bits, so a
//! night that goes on from pieces ends with the bytes of one that was never disturbed.
//!
//! Whoever keeps pieces must give them back only for the same input, configuration, memory and
//! [`FORMAT`]. A piece that cannot be read, or that is of other series, is made again.

use std::convert::Infallible;

use rayon::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::distribution::paths::mix;
use crate::forecast::drivers::SeriesMeta;

/// Raised whenever pieces of an earlier format would be read as something else.
pub const FORMAT: u32 = 1;

/// Effects before the first cutoffs.
pub(super) const TRIAL_EFFECTS: &str = "trial_effects";
/// Trees grown before the first cutoffs, and what they say at each.
pub(super) const TRIAL_TREES: &str = "trial_trees";
pub(super) const TRIALS: &str = "trials";
pub(super) const EFFECTS: &str = "effects";
/// Trees for the nights to come, and what they say tonight.
pub(super) const TREES: &str = "trees";
pub(super) const LAST_FITS: &str = "last_fits";
/// What remembered trees say tonight.
pub(super) const FOLLOWED_TREES: &str = "followed_trees";
pub(super) const FOLLOWED: &str = "followed";

/// The one partition of a stage that is about all series.
const WHOLE: u32 = 0;

/// Keeps the pieces of a night. Called from the threads that make the numbers.
pub trait Checkpoints: Sync {
    /// Why a night is to go no further.
    type Stop: Send;

    /// About how many series a partition holds; `None` keeps nothing.
    fn partition_series(&self) -> Option<usize>;

    /// A piece that was kept. Each is asked for at most once.
    fn load(&self, stage: &'static str, partition: u32) -> Option<Vec<u8>>;

    /// # Errors
    /// When the night is to stop. A piece that could not be kept is no reason to.
    fn save(&self, stage: &'static str, partition: u32, bytes: Vec<u8>) -> Result<(), Self::Stop>;
}

/// Keeps nothing and never stops.
pub struct NoCheckpoints;

impl Checkpoints for NoCheckpoints {
    type Stop = Infallible;

    fn partition_series(&self) -> Option<usize> {
        None
    }

    fn load(&self, _: &'static str, _: u32) -> Option<Vec<u8>> {
        None
    }

    fn save(&self, _: &'static str, _: u32, _: Vec<u8>) -> Result<(), Infallible> {
        Ok(())
    }
}

struct Partition {
    number: u32,
    /// Ascending.
    members: Vec<u32>,
    /// Of the members' keys.
    seal: u64,
}

/// The pieces of one panel.
pub(super) struct Pieces<'a, C> {
    checkpoints: &'a C,
    series: usize,
    /// Those that have series; none where nothing is kept.
    partitions: Vec<Partition>,
    /// Of all keys; `None` where nothing is kept.
    seal: Option<u64>,
}

impl Pieces<'static, NoCheckpoints> {
    pub fn none(series: usize) -> Self {
        Pieces { checkpoints: &NoCheckpoints, series, partitions: Vec::new(), seal: None }
    }
}

impl<'a, C: Checkpoints> Pieces<'a, C> {
    pub fn new(checkpoints: &'a C, meta: &[SeriesMeta]) -> Pieces<'a, C> {
        let series = meta.len();
        let Some(size) = checkpoints.partition_series() else {
            return Pieces { checkpoints, series, partitions: Vec::new(), seal: None };
        };
        let count = series.div_ceil(size.max(1)).max(1);
        let mut members = vec![Vec::new(); count];
        for (i, meta) in meta.iter().enumerate() {
            members[(mix(meta.key) % count as u64) as usize].push(i as u32);
        }
        let seal = |members: &[u32]| seal(members.iter().map(|&i| meta[i as usize].key));
        let partitions = (0..).zip(members).filter(|(_, members)| !members.is_empty());
        let partitions = partitions
            .map(|(number, members)| Partition { number, seal: seal(&members), members })
            .collect();
        let seal = Some(self::seal(meta.iter().map(|meta| meta.key)));
        Pieces { checkpoints, series, partitions, seal }
    }

    /// A stage with a value for each series, as far as it was kept.
    pub fn per_series<T: DeserializeOwned>(&self, stage: &'static str) -> PerSeries<'_, 'a, C, T> {
        let kept = |partition: &Partition| -> Option<Vec<T>> {
            let values: Vec<T> = self.restore(stage, partition.number, partition.seal)?;
            (values.len() == partition.members.len()).then_some(values)
        };
        PerSeries { pieces: self, stage, kept: self.partitions.iter().map(kept).collect() }
    }

    /// A stage about all series together, if it was kept.
    pub fn whole<T: DeserializeOwned>(&self, stage: &'static str) -> Whole<'_, 'a, C, T> {
        let kept = self.seal.and_then(|seal| self.restore(stage, WHOLE, seal));
        Whole { pieces: self, stage, kept }
    }

    fn restore<T: DeserializeOwned>(
        &self,
        stage: &'static str,
        partition: u32,
        seal: u64,
    ) -> Option<T> {
        let bytes = self.checkpoints.load(stage, partition)?;
        let (sealed, values) = postcard::from_bytes::<(u64, T)>(&bytes).ok()?;
        (sealed == of_stage(stage, seal)).then_some(values)
    }

    fn keep<T: Serialize>(
        &self,
        stage: &'static str,
        partition: u32,
        seal: u64,
        values: &T,
    ) -> Result<(), C::Stop> {
        // What has no bytes cannot be kept, and will be made again.
        let sealed = (of_stage(stage, seal), values);
        let Ok(bytes) = postcard::to_stdvec(&sealed) else { return Ok(()) };
        self.checkpoints.save(stage, partition, bytes)
    }
}

fn of_stage(stage: &str, seal: u64) -> u64 {
    stage.bytes().fold(seal, |hash, byte| mix(hash ^ u64::from(byte)))
}

fn seal(keys: impl Iterator<Item = u64>) -> u64 {
    keys.fold(0, |hash, key| mix(hash ^ key))
}

/// A stage on its way: the partitions that were kept, and room for the others.
pub(super) struct PerSeries<'p, 'a, C, T> {
    pieces: &'p Pieces<'a, C>,
    stage: &'static str,
    /// In the order of the partitions.
    kept: Vec<Option<Vec<T>>>,
}

impl<C: Checkpoints, T: Serialize + DeserializeOwned + Send> PerSeries<'_, '_, C, T> {
    /// Whether nothing needs to be made.
    pub fn is_kept(&self) -> bool {
        self.pieces.seal.is_some() && self.kept.iter().all(Option::is_some)
    }

    /// Every series' value, in the panel's order; those that were not kept are made.
    ///
    /// # Errors
    /// When the night is to stop.
    pub fn or_make(self, make: impl Fn(usize) -> T + Sync) -> Result<Vec<T>, C::Stop> {
        let pieces = self.pieces;
        if pieces.seal.is_none() {
            return Ok((0..pieces.series).into_par_iter().map(&make).collect());
        }
        let mut all: Vec<Option<T>> = (0..pieces.series).map(|_| None).collect();
        for (partition, kept) in pieces.partitions.iter().zip(self.kept) {
            let values = match kept {
                Some(values) => values,
                None => {
                    let members = partition.members.par_iter();
                    let made: Vec<T> = members.map(|&i| make(i as usize)).collect();
                    pieces.keep(self.stage, partition.number, partition.seal, &made)?;
                    made
                }
            };
            for (&i, value) in partition.members.iter().zip(values) {
                all[i as usize] = Some(value);
            }
        }
        // Every series is in one partition.
        Ok(all.into_iter().flatten().collect())
    }
}

/// A stage about all series together on its way.
pub(super) struct Whole<'p, 'a, C, T> {
    pieces: &'p Pieces<'a, C>,
    stage: &'static str,
    kept: Option<T>,
}

impl<C: Checkpoints, T: Serialize + DeserializeOwned> Whole<'_, '_, C, T> {
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// # Errors
    /// When the night is to stop.
    pub fn or_make(self, make: impl FnOnce() -> T) -> Result<T, C::Stop> {
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        let made = make();
        if let Some(seal) = self.pieces.seal {
            self.pieces.keep(self.stage, WHOLE, seal, &made)?;
        }
        Ok(made)
    }
}

/// Single-precision values, bit for bit, with stretches of the same value told once: most trials
/// are flat, and models that were not tried are NaN throughout.
pub(super) mod runs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// A shorter stretch costs more to tell apart than it saves.
    const STRETCH_MIN: usize = 4;

    #[derive(Serialize)]
    enum Run<'a> {
        Same(u32, f32),
        Each(&'a [f32]),
    }

    #[derive(Deserialize)]
    enum Told {
        Same(u32, f32),
        Each(Vec<f32>),
    }

    pub fn serialize<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
        let mut runs = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < values.len() {
            let bits = values[at].to_bits();
            let same = values[at..].iter().take_while(|value| value.to_bits() == bits).count();
            if same >= STRETCH_MIN {
                if from < at {
                    runs.push(Run::Each(&values[from..at]));
                }
                runs.push(Run::Same(same as u32, values[at]));
                from = at + same;
            }
            at += same;
        }
        if from < values.len() {
            runs.push(Run::Each(&values[from..]));
        }
        runs.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
        let mut values = Vec::new();
        for run in Vec::<Told>::deserialize(from)? {
            match run {
                Told::Same(count, value) => {
                    // A broken piece must not take all memory.
                    let count = usize::try_from(count).unwrap_or(usize::MAX);
                    if count > VALUES_MAX {
                        return Err(serde::de::Error::custom("a stretch that no trial has"));
                    }
                    values.resize(values.len() + count, value);
                }
                Told::Each(each) => values.extend(each),
            }
        }
        Ok(values)
    }

    /// More than any trial has: models × cutoffs × steps.
    const VALUES_MAX: usize = 1 << 24;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize)]
    struct Values(#[serde(with = "runs")] Vec<f32>);

    fn check(values: &[f32], bytes_max: usize) {
        let bytes = postcard::to_stdvec(&Values(values.to_vec())).expect("values have bytes");
        assert!(bytes.len() <= bytes_max, "{values:?}: {} bytes", bytes.len());
        let Values(back) = postcard::from_bytes(&bytes).expect("and are read from them");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
        assert_eq!(bits(&back), bits(values));
    }

    #[test]
    fn stretches_restore_bit_for_bit() {
        let other_nan = f32::from_bits(f32::NAN.to_bits() | 5);
        check(&[], 1);
        check(&[f32::NAN; 500], 10);
        check(&[1.5; 3], 15);
        check(&[0.0, -0.0, 0.0, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0], 27);
        check(&[2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0, f32::NAN, other_nan], 40);
        check(&[[f32::NAN; 40], [7.25; 40], [f32::NAN; 40]].concat(), 20);
        check(&[[other_nan; 9], [f32::NAN; 9]].concat(), 14);
    }

    #[test]
    fn a_broken_stretch_is_an_error_and_no_allocation() {
        // One run, `Same`, of 2^32 - 1 values.
        let bytes = [1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0];
        assert!(postcard::from_bytes::<Values>(&bytes).is_err());
    }

    #[test]
    fn every_series_is_in_one_partition_whatever_its_place() {
        struct Size(usize);
        impl Checkpoints for Size {
            type Stop = Infallible;
            fn partition_series(&self) -> Option<usize> {
                Some(self.0)
            }
            fn load(&self, _: &'static str, _: u32) -> Option<Vec<u8>> {
                None
            }
            fn save(&self, _: &'static str, _: u32, _: Vec<u8>) -> Result<(), Infallible> {
                Ok(())
            }
        }
        let meta = |keys: &[u64]| -> Vec<SeriesMeta> {
            keys.iter().map(|&key| SeriesMeta { key, ..SeriesMeta::default() }).collect()
        };
        let keys: Vec<u64> = (0..200).map(|i| i * 7919).collect();
        let reversed: Vec<u64> = keys.iter().rev().copied().collect();
        for size in [1, 7, 200, 1000] {
            let of = |keys: &[u64]| -> Vec<(u32, Vec<u64>)> {
                let (size, meta) = (Size(size), meta(keys));
                let pieces = Pieces::new(&size, &meta);
                let mut of = Vec::new();
                for partition in &pieces.partitions {
                    let mut of_it: Vec<u64> =
                        partition.members.iter().map(|&i| keys[i as usize]).collect();
                    of_it.sort_unstable();
                    of.push((partition.number, of_it));
                }
                of
            };
            assert_eq!(of(&keys), of(&reversed), "partitions of about {size}");
            let mut all: Vec<u64> = of(&keys).into_iter().flat_map(|(_, keys)| keys).collect();
            all.sort_unstable();
            assert_eq!(all, keys);
            let Ok(values) = Pieces::new(&Size(size), &meta(&keys)).per_series("s").or_make(|i| i);
            assert_eq!(values, (0..200).collect::<Vec<usize>>());
        }
        let Ok(none) = Pieces::new(&Size(10), &[]).per_series("s").or_make(|i| i);
        assert_eq!(none, Vec::<usize>::new());
    }
}
