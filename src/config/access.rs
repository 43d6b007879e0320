//! Who may do what. One table; the pages, the API and the tests ask it.

use serde::{Deserialize, Serialize};

/// What a person or a program is to the service. PostgreSQL has a role of the same name for each,
/// with `granary_` before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Brings the schema up to date, nothing else.
    Migrator,
    /// The nights themselves.
    Engine,
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
    pub const ALL: [Role; 7] = [
        Role::Migrator,
        Role::Engine,
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
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    pub name: String,
    pub role: Role,
    /// Locations that may be seen; empty for all.
    pub locations: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are operations in the order of [`Operation::ALL`]; columns are roles in theirs.
    const MATRIX: [(Operation, [bool; 7]); 12] = {
        const Y: bool = true;
        const N: bool = false;
        [
            //              migr eng  plan appr purc anal oper
            (ReadPlan, [N, Y, Y, Y, N, Y, Y]),
            (ReadReleased, [N, Y, Y, Y, Y, Y, Y]),
            (ReadJobs, [N, Y, Y, Y, N, Y, Y]),
            (Override, [N, N, Y, N, N, N, N]),
            (Cancel, [N, N, Y, Y, N, N, N]),
            (Approve, [N, N, N, Y, N, N, N]),
            (Release, [N, Y, N, Y, N, N, N]),
            (Acknowledge, [N, N, N, N, Y, N, N]),
            (Close, [N, N, N, N, Y, N, N]),
            (Stop, [N, N, Y, Y, Y, N, Y]),
            (Go, [N, N, N, Y, N, N, Y]),
            (RunJobs, [N, N, N, N, N, N, Y]),
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
        for role in Role::ALL {
            assert!(!(role.may(Override) && role.may(Approve)), "{role:?}");
            assert!(!(role.may(Approve) && role.may(Acknowledge)), "{role:?}");
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
