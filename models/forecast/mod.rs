//! Forecasting models: one file each, one registry line each in [`model`].

pub mod blend;
pub mod ces;
pub mod croston;
pub mod demand_class;
pub mod drivers;
pub mod ensemble;
pub mod ets;
pub mod launch;
pub mod logged;
pub mod mean;
pub mod model;
pub mod mstl;
pub mod neighbours;
pub mod pooled;
pub mod season_index;
pub mod seasonal_naive;
pub mod ses;
pub mod simplex;
pub mod sku_forecast;
pub mod theta;
pub mod theta_steady;
pub mod tsb;
