//! History as the models see it: what was sold beside what was there to sell.

use std::ops::Range;
use std::sync::Arc;

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

/// When a driver's value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Also for the days to come: a plan, a calendar.
    Ahead,
    /// Only for days that are over: an observation.
    Past,
}

/// One more thing that is known of the days of every series, such as a flag or a measurement.
#[derive(Clone, Debug)]
pub struct DriverColumn {
    pub name: String,
    pub known: Known,
    /// Laid out as [`Panel::promo_depth`]; NaN where unknown. What is only known for days that are
    /// over is NaN over the horizon. Shared, because a panel is copied while models learn.
    pub values: Arc<[f32]>,
}

/// A property of series that does not change: a city, a brand, a shelf.
#[derive(Clone, Debug)]
pub struct StaticColumn {
    pub name: String,
    /// Per series, an index into `labels`.
    pub codes: Arc<[u32]>,
    pub labels: Arc<[String]>,
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
    /// What else is known of days.
    pub columns: Vec<DriverColumn>,
    /// What else is known of series.
    pub statics: Vec<StaticColumn>,
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
        let days = self.driver_days(i);
        Drivers {
            promo_depth: &self.promo_depth[days.clone()],
            price_ratio: &self.price_ratio[days],
        }
    }

    /// Where the days of series `i`, history and then horizon, are in a driver's values.
    pub fn driver_days(&self, i: usize) -> Range<usize> {
        let from = self.offsets[i] + i * self.horizon_days;
        from..self.offsets[i + 1] + (i + 1) * self.horizon_days
    }
}
