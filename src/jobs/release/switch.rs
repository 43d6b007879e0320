//! Kill switches: stop and go.

use serde::{Deserialize, Serialize};

use super::{By, checked_text};
use crate::config::{Exit, Refused};
use crate::store::Store;
use crate::store::db::{self, Db};
use crate::store::release::switches::{self, Stop};

/// What a switch stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every release.
    All,
    /// One run by its run_id, or every run of a job by the job's name.
    Run,
    Supplier,
    /// Lines to a location, and transfers from it.
    Location,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::All, Scope::Run, Scope::Supplier, Scope::Location];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Run => "run",
            Scope::Supplier => "supplier",
            Scope::Location => "location",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// A statement that finds the id among what there is.
    fn known(self) -> &'static str {
        match self {
            Scope::All => "SELECT $1 = ''",
            Scope::Run => "SELECT EXISTS (SELECT 1 FROM run WHERE run_id = $1 OR job = $1)",
            Scope::Supplier => {
                "SELECT EXISTS (SELECT 1 FROM supplier WHERE supplier_id = $1) \
                 OR EXISTS (SELECT 1 FROM supply_terms WHERE supplier_id = $1) \
                 OR EXISTS (SELECT 1 FROM reorder_line WHERE supplier_id = $1)"
            }
            Scope::Location => {
                "SELECT EXISTS (SELECT 1 FROM location WHERE location_id = $1) \
                 OR EXISTS (SELECT 1 FROM reorder_line WHERE location_id = $1 \
                   OR source_location_id = $1)"
            }
        }
    }
}

/// What turning a switch came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turned {
    pub scope: Scope,
    pub scope_id: String,
    pub stopped: bool,
    /// False where the switch stood so already.
    pub changed: bool,
}

/// Stops releases of a scope, and hides what went out but was not taken.
///
/// # Errors
/// When nothing of that name exists: a misspelt stop would stop nothing.
pub async fn stop(
    store: &Store,
    by: &By,
    scope: Scope,
    scope_id: &str,
    reason: &str,
) -> anyhow::Result<Turned> {
    let reason = checked_text("reason", reason)?;
    let mut db = store.write().await?;
    check_id(scope, scope_id)?;
    let known: bool = db::query_scalar(scope.known()).bind(scope_id).fetch_one(&mut db).await?;
    if !known {
        let message =
            format!("there is no {} {scope_id:?}, so nothing was stopped", scope.as_str());
        return Err(Refused::new(Exit::Usage, message).into());
    }
    // Said again it is written again: the newest reason and name count.
    let changed = !is_on(&mut db, scope, scope_id).await?;
    switches::turn(&mut db, by, (scope.as_str(), scope_id), true, &reason).await?;
    db.commit().await?;
    Ok(Turned { scope, scope_id: scope_id.to_owned(), stopped: true, changed })
}

/// Takes a stop back. Other stops that touch the same lines stay.
pub async fn go(
    store: &Store,
    by: &By,
    scope: Scope,
    scope_id: &str,
    reason: &str,
) -> anyhow::Result<Turned> {
    let reason = checked_text("reason", reason)?;
    let mut db = store.write().await?;
    check_id(scope, scope_id)?;
    let changed = is_on(&mut db, scope, scope_id).await?;
    if changed {
        switches::turn(&mut db, by, (scope.as_str(), scope_id), false, &reason).await?;
        db.commit().await?;
    }
    Ok(Turned { scope, scope_id: scope_id.to_owned(), stopped: false, changed })
}

/// Every switch that is on.
pub async fn stops(store: &Store) -> anyhow::Result<Vec<Stop>> {
    Ok(switches::stops(&mut store.snapshot().await?).await?)
}

async fn is_on(db: &mut Db, scope: Scope, scope_id: &str) -> anyhow::Result<bool> {
    let stops = switches::stops(db).await?;
    Ok(stops.iter().any(|stop| stop.scope == scope.as_str() && stop.scope_id == scope_id))
}

fn check_id(scope: Scope, scope_id: &str) -> Result<(), Refused> {
    let message = match (scope, scope_id.is_empty()) {
        (Scope::All, false) => format!("`all` takes no id, and {scope_id:?} was given"),
        (Scope::Run | Scope::Supplier | Scope::Location, true) => {
            format!("which {}? Give its id", scope.as_str())
        }
        _ => return Ok(()),
    };
    Err(Refused::new(Exit::Usage, message))
}
