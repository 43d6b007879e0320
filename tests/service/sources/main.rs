//! Sources against real servers, which the tests start for themselves and stop again.

mod bucket;
mod folder;
mod home;
mod night;
mod query;
mod secrets;
mod server;
