use std::process::ExitCode;

/// The exit codes of DESIGN.md §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    DataRejected = 3,
    PlanHeld = 4,
    StaleData = 5,
    LockHeld = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that stands for a particular exit code. Put it at the root of an `anyhow` chain:
/// `Refused::new(Exit::StaleData, "…")?`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    pub exit: Exit,
    pub message: String,
}

impl Refused {
    pub fn new(exit: Exit, message: impl Into<String>) -> Refused {
        Refused { exit, message: message.into() }
    }
}
