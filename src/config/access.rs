//! Who may do what. One table; the pages, the API and the tests ask it.

use serde::{Deserialize, Serialize};

use super::{Exit, Refused};

/// What a person or a program is to the service. PostgreSQL has a role of the same name for each,
/// with `granary_` before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Brings the schema up to date, nothing else.
    Migrator,
    /// The nights themselves.
    Engine,
    /// Whoever can open the database itself: the command line.
    Local,
    Planner,
    Approver,
    /// The system that places orders.
    Purchasing,
    Analyst,
    Operator,
}

/// What can be asked of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The plan, its forecasts, reasons and findings.
    ReadPlan,
    /// Lines that were released, and the manifests of releases.
    ReadReleased,
    /// Jobs, their history and the service's figures.
    ReadJobs,
    /// Another quantity for a line, with a reason.
    Override,
    /// Takes a line out of the plan, or asks for the end of a released one.
    Cancel,
    Approve,
    Release,
    /// Says that a released line was taken over by the ordering system.
    Acknowledge,
    /// Says that an order has come, or never will.
    Close,
    /// Stops releases of a run, a supplier or a location.
    Stop,
    /// Lets them go on.
    Go,
    /// Pauses, resumes, cancels and repeats jobs.
    RunJobs,
}

use Operation::{
    Acknowledge, Approve, Cancel, Close, Go, Override, ReadJobs, ReadPlan, ReadReleased, Release,
    RunJobs, Stop,
};

impl Role {
    pub const ALL: [Role; 8] = [
        Role::Migrator,
        Role::Engine,
        Role::Local,
        Role::Planner,
        Role::Approver,
        Role::Purchasing,
        Role::Analyst,
        Role::Operator,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Migrator => "migrator",
            Role::Engine => "engine",
            Role::Local => "local",
            Role::Planner => "planner",
            Role::Approver => "approver",
            Role::Purchasing => "purchasing",
            Role::Analyst => "analyst",
            Role::Operator => "operator",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// All that this role may do. What is not in its list is refused.
    ///
    /// Whoever may order may also stop: a brake that only one person can reach is no brake.
    fn operations(self) -> &'static [Operation] {
        match self {
            Role::Migrator => &[],
            Role::Engine => &[ReadPlan, ReadReleased, ReadJobs, Release],
            Role::Local => &Operation::ALL,
            Role::Planner => &[ReadPlan, ReadReleased, ReadJobs, Override, Cancel, Stop],
            Role::Approver => {
                &[ReadPlan, ReadReleased, ReadJobs, Cancel, Approve, Release, Stop, Go]
            }
            Role::Purchasing => &[ReadReleased, Acknowledge, Close, Stop],
            Role::Analyst => &[ReadPlan, ReadReleased, ReadJobs],
            Role::Operator => &[ReadPlan, ReadReleased, ReadJobs, Stop, Go, RunJobs],
        }
    }

    pub fn may(self, operation: Operation) -> bool {
        self.operations().contains(&operation)
    }
}

impl Operation {
    pub const ALL: [Operation; 12] = [
        ReadPlan,
        ReadReleased,
        ReadJobs,
        Override,
        Cancel,
        Approve,
        Release,
        Acknowledge,
        Close,
        Stop,
        Go,
        RunJobs,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ReadPlan => "read_plan",
            ReadReleased => "read_released",
            ReadJobs => "read_jobs",
            Override => "override",
            Cancel => "cancel",
            Approve => "approve",
            Release => "release",
            Acknowledge => "acknowledge",
            Close => "close",
            Stop => "stop",
            Go => "go",
            RunJobs => "run_jobs",
        }
    }
}

/// A person or program, as it is written beside everything it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    pub name: String,
    pub role: Role,
    /// Locations that may be seen; empty for all.
    pub locations: Vec<String>,
}

/// What the program signs with; nobody else may.
const ENGINE: &str = "granary";
const NAME_MAX: usize = 100;

impl Actor {
    /// # Errors
    /// When the name is empty, longer than 100 letters, holds control signs or is the program's own.
    pub fn new(name: &str, role: Role) -> Result<Actor, Refused> {
        let name = name.trim();
        let wrong = if name.is_empty() {
            "is empty"
        } else if name.chars().count() > NAME_MAX {
            "is longer than 100 letters"
        } else if name.chars().any(char::is_control) {
            "holds a control sign"
        } else if name.eq_ignore_ascii_case(ENGINE) {
            "is the program's own"
        } else {
            return Ok(Actor { name: name.to_owned(), role, locations: Vec::new() });
        };
        Err(Refused::new(Exit::Usage, format!("the actor's name {name:?} {wrong}")))
    }

    /// The program itself.
    pub fn engine() -> Actor {
        Actor { name: ENGINE.to_owned(), role: Role::Engine, locations: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are operations in the order of [`Operation::ALL`]; columns are roles in theirs.
    const MATRIX: [(Operation, [bool; 8]); 12] = {
        const Y: bool = true;
        const N: bool = false;
        [
            //              migr eng  loc  plan appr purc anal oper
            (ReadPlan, [N, Y, Y, Y, Y, N, Y, Y]),
            (ReadReleased, [N, Y, Y, Y, Y, Y, Y, Y]),
            (ReadJobs, [N, Y, Y, Y, Y, N, Y, Y]),
            (Override, [N, N, Y, Y, N, N, N, N]),
            (Cancel, [N, N, Y, Y, Y, N, N, N]),
            (Approve, [N, N, Y, N, Y, N, N, N]),
            (Release, [N, Y, Y, N, Y, N, N, N]),
            (Acknowledge, [N, N, Y, N, N, Y, N, N]),
            (Close, [N, N, Y, N, N, Y, N, N]),
            (Stop, [N, N, Y, Y, Y, Y, N, Y]),
            (Go, [N, N, Y, N, Y, N, N, Y]),
            (RunJobs, [N, N, Y, N, N, N, N, Y]),
        ]
    };

    #[test]
    fn every_role_and_operation_is_allowed_or_refused_as_written_down() {
        for (at, (operation, row)) in MATRIX.into_iter().enumerate() {
            assert_eq!(operation, Operation::ALL[at]);
            for (role, wanted) in Role::ALL.into_iter().zip(row) {
                assert_eq!(role.may(operation), wanted, "{role:?} {operation:?}");
            }
        }
    }

    #[test]
    fn nobody_both_changes_and_approves() {
        // Who can open the database itself cannot be held back; there, the names are compared.
        for role in Role::ALL.into_iter().filter(|role| *role != Role::Local) {
            assert!(!(role.may(Override) && role.may(Approve)), "{role:?}");
            assert!(!(role.may(Approve) && role.may(Acknowledge)), "{role:?}");
        }
    }

    #[test]
    fn names_of_people_are_plain_and_not_the_programs() {
        for (name, kept) in [("anna", Some("anna")), (" 王芳 ", Some("王芳")), ("", None)] {
            let actor = Actor::new(name, Role::Planner).ok().map(|actor| actor.name);
            assert_eq!(actor.as_deref(), kept, "{name:?}");
        }
        let long = "x".repeat(NAME_MAX + 1);
        for wrong in ["  ", "a\nb", "Granary", long.as_str()] {
            let refused = Actor::new(wrong, Role::Local).expect_err("a bad name");
            assert_eq!(refused.exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        assert_eq!(Role::parse("superuser"), None);
    }
}
