//! History as the models see it: what was sold beside what was there to sell.

use crate::calendar::Day;

/// A day counts as fully available from this share of its selling hours.
pub const FULLY_AVAILABLE: f32 = 0.999;

/// One item at one location, a value per day without gaps.
///
/// Sales are demand only on a day of full availability; on any other they are a lower bound of it.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    pub start: Day,
    /// Units sold (the smallest units of the item), never negative.
    pub sold: &'a [f64],
    /// Share of the day's selling hours with stock, 0..=1; as long as `sold`.
    pub available: &'a [f32],
}

impl<'a> Series<'a> {
    pub fn len(&self) -> usize {
        self.sold.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sold.is_empty()
    }

    /// The day after the last.
    pub fn end(&self) -> Day {
        self.start + self.sold.len() as i32
    }

    /// Only what was known at the end of the day before `cutoff`.
    pub fn before(&self, cutoff: Day) -> Series<'a> {
        let days = (cutoff - self.start).clamp(0, self.sold.len() as i32) as usize;
        Series { start: self.start, sold: &self.sold[..days], available: &self.available[..days] }
    }

    /// Demand where it was seen whole, NaN on a censored day.
    pub fn demand(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.sold
            .iter()
            .zip(self.available)
            .map(|(&sold, &available)| if available >= FULLY_AVAILABLE { sold } else { f64::NAN })
    }
}

/// What is known of one series' days, history and horizon together, beside its sales.
/// Each slice covers `start .. start + len` of the history and then the horizon.
#[derive(Clone, Copy, Debug)]
pub struct Drivers<'a> {
    /// 0 without a promotion; 0.2 is twenty percent off.
    pub promo_depth: &'a [f32],
    /// Asked price over the item's usual price; 1 where unknown.
    pub price_ratio: &'a [f32],
}

/// Many series in contiguous memory.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// `offsets[i]..offsets[i + 1]` are the history days of series `i` in `sold` and `available`.
    pub offsets: Vec<usize>,
    pub start: Vec<Day>,
    pub sold: Vec<f64>,
    pub available: Vec<f32>,
    /// Days beyond the history for which drivers are known.
    pub horizon_days: usize,
    /// Series `i` has `history + horizon_days` values from `offsets[i] + i * horizon_days` on.
    pub promo_depth: Vec<f32>,
    pub price_ratio: Vec<f32>,
}

impl Panel {
    pub fn len(&self) -> usize {
        self.start.len()
    }

    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    pub fn series(&self, i: usize) -> Series<'_> {
        let days = self.offsets[i]..self.offsets[i + 1];
        Series {
            start: self.start[i],
            sold: &self.sold[days.clone()],
            available: &self.available[days],
        }
    }

    pub fn drivers(&self, i: usize) -> Drivers<'_> {
        let from = self.offsets[i] + i * self.horizon_days;
        let to = self.offsets[i + 1] + (i + 1) * self.horizon_days;
        Drivers {
            promo_depth: &self.promo_depth[from..to],
            price_ratio: &self.price_ratio[from..to],
        }
    }
}
