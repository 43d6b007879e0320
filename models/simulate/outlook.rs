//! The forecasts of a simulation: chosen and fitted anew now and then, following in between.

use crate::backtest::memory::Memory;
use crate::backtest::panel::{ForecastConfig, forecast_night};
use crate::forecast::drivers::{ForecastInput, InputError};
use crate::forecast::sku_forecast::SkuForecast;
use crate::simulate::item::World;
use crate::simulate::known::KnownPanel;

/// What one kind of knowledge expects of the periods to come.
pub struct Forecaster {
    config: ForecastConfig,
    refit_every: usize,
    /// Reviews since the models were chosen.
    age: usize,
    memory: Option<Memory>,
    pub refits: usize,
}

impl Forecaster {
    pub fn new(config: ForecastConfig, refit_every: usize) -> Forecaster {
        Forecaster { config, refit_every, age: 0, memory: None, refits: 0 }
    }

    /// A forecast for each series of the world of which anything is known.
    ///
    /// # Errors
    /// When the world's parts do not fit together.
    pub fn review(
        &mut self,
        world: &World,
        known: &KnownPanel,
    ) -> Result<Vec<Option<SkuForecast>>, InputError> {
        if known.meta.is_empty() {
            return Ok(known.place.iter().map(|_| None).collect());
        }
        let input = ForecastInput {
            panel: &known.panel,
            meta: &known.meta,
            categories: world.categories,
            regions: world.regions,
        };
        if self.age >= self.refit_every {
            self.memory = None;
        }
        let night = forecast_night(&input, &self.config, self.memory.as_ref())?;
        let fitted = night.series.into_iter().map(|series| (series.key, series));
        if let Some(panel) = night.panel {
            self.memory = Some(Memory { panel, series: fitted.collect() });
            self.age = 0;
            self.refits += 1;
        } else if let Some(memory) = &mut self.memory {
            memory.series.extend(fitted);
        }
        self.age += 1;
        let mut made: Vec<Option<SkuForecast>> =
            night.forecast.series.into_iter().map(Some).collect();
        Ok(known.place.iter().map(|place| place.and_then(|at| made[at].take())).collect())
    }
}
