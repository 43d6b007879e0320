//! What the pooled regression knows beside a series' own days: events, weather and kin.

use crate::calendar::Day;
use crate::series::{Panel, StaticColumn};

/// One occurrence of something that recurs: a festival, a sales day, a tournament.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventWindow {
    /// What recurs, such as `spring-festival`; windows of one name share their effects.
    pub name: String,
    /// What it is one of, such as `holiday` or `hot`: an event never seen before takes its class's
    /// effect.
    pub class: String,
    /// [`SeriesMeta::item`] of the items it touches; empty for all.
    pub items: Vec<u32>,
    /// The one category it touches, or empty for all.
    pub category: String,
    pub starts_on: Day,
    /// The last day of it.
    pub ends_on: Day,
    /// Days before the start on which buying may already differ.
    pub lead_days: i32,
    /// Days after the end on which buying may still differ.
    pub lag_days: i32,
}

/// Daily weather of a region: observed, then forecast. NaN is unknown. Beyond the last day a
/// climatology stands in when at least a year was seen, and no effect otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weather {
    pub start: Day,
    pub temperature_c: Vec<f32>,
    pub precipitation_mm: Vec<f32>,
    /// Relative; may be empty where nobody measures it.
    pub humidity_pct: Vec<f32>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Region {
    pub events: Vec<EventWindow>,
    pub weather: Option<Weather>,
}

/// Which group a series learns with, and what its days were like. Indices point into
/// [`ForecastInput::categories`] and [`ForecastInput::regions`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeriesMeta {
    /// A stable hash of item and location; picks the random table of the paths.
    pub key: u64,
    pub category: u32,
    /// Of the item, for what concerns single items; series of one item share it.
    pub item: u32,
    /// Whose events apply.
    pub region: u32,
    /// Whose weather applies; often the same.
    pub weather_region: u32,
    /// Where it is sold, for what is added up; series of one place share it.
    pub location: u32,
}

/// Everything a night's forecast depends on.
#[derive(Clone, Copy, Debug)]
pub struct ForecastInput<'a> {
    pub panel: &'a Panel,
    /// As long as the panel.
    pub meta: &'a [SeriesMeta],
    pub categories: &'a [String],
    pub regions: &'a [Region],
}

/// The input does not fit together; the message names the first place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("the panel has {series} series but there are {meta} descriptions of series")]
    MetaLength { series: usize, meta: usize },
    #[error("series {series} has {what} {index}, but there are only {count}")]
    IndexOutOfRange { series: usize, what: &'static str, index: u32, count: usize },
    #[error("the drivers reach {known} days beyond the history; the horizon is {wanted}")]
    HorizonUnknown { known: usize, wanted: usize },
    #[error("the panel's columns differ in length: {0}")]
    PanelShape(&'static str),
}

impl ForecastInput<'_> {
    /// Checks lengths and indices once, so that the rest may index freely.
    pub fn check(&self, horizon_days: usize) -> Result<(), InputError> {
        let (series, meta) = (self.panel.len(), self.meta.len());
        if series != meta {
            return Err(InputError::MetaLength { series, meta });
        }
        let known = self.panel.horizon_days;
        if known < horizon_days {
            return Err(InputError::HorizonUnknown { known, wanted: horizon_days });
        }
        check_shape(self.panel)?;
        for (series, meta) in self.meta.iter().enumerate() {
            for (what, index, count) in [
                ("category", meta.category, self.categories.len()),
                ("region", meta.region, self.regions.len()),
                ("weather region", meta.weather_region, self.regions.len()),
            ] {
                if index as usize >= count {
                    return Err(InputError::IndexOutOfRange { series, what, index, count });
                }
            }
        }
        Ok(())
    }
}

fn check_shape(panel: &Panel) -> Result<(), InputError> {
    let days = panel.offsets.last().copied().unwrap_or(0);
    let with_horizon = days + panel.len() * panel.horizon_days;
    let ascending = panel.offsets.windows(2).all(|w| w[0] <= w[1]);
    let first = panel.offsets.first().copied().unwrap_or(0);
    if (panel.offsets.len() != panel.len() + 1 && !panel.is_empty()) || !ascending || first != 0 {
        return Err(InputError::PanelShape("offsets"));
    }
    for (what, got, want) in [
        ("sold", panel.sold.len(), days),
        ("available", panel.available.len(), days),
        ("promo_depth", panel.promo_depth.len(), with_horizon),
        ("price_ratio", panel.price_ratio.len(), with_horizon),
    ] {
        if got != want {
            return Err(InputError::PanelShape(what));
        }
    }
    if panel.columns.iter().any(|column| column.values.len() != with_horizon) {
        return Err(InputError::PanelShape("columns"));
    }
    let fits = |column: &StaticColumn| {
        let known = |&code: &u32| (code as usize) < column.labels.len();
        column.codes.len() == panel.len() && column.codes.iter().all(known)
    };
    if !panel.statics.iter().all(fits) {
        return Err(InputError::PanelShape("statics"));
    }
    Ok(())
}
