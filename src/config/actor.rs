//! Who does something to a line, and what it is called that they do.

use serde::Serialize;

use super::{Exit, Refused};

/// In which part somebody acts. What a part may do is decided in one place, by [`Operation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The program itself: a night that releases by the job's rules.
    Engine,
    /// Whoever can open the database itself: the command line.
    Local,
    Planner,
    Approver,
    Purchasing,
    Analyst,
    Operator,
}

impl Role {
    pub const ALL: [Role; 7] = [
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
}

/// What can be done to lines and to their release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    Approve,
    WithdrawApproval,
    Override,
    Cancel,
    Release,
    Pull,
    Acknowledge,
    Close,
    Stop,
    Go,
}

impl Operation {
    pub const ALL: [Operation; 10] = [
        Operation::Approve,
        Operation::WithdrawApproval,
        Operation::Override,
        Operation::Cancel,
        Operation::Release,
        Operation::Pull,
        Operation::Acknowledge,
        Operation::Close,
        Operation::Stop,
        Operation::Go,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Approve => "approve",
            Operation::WithdrawApproval => "withdraw_approval",
            Operation::Override => "override",
            Operation::Cancel => "cancel",
            Operation::Release => "release",
            Operation::Pull => "pull",
            Operation::Acknowledge => "acknowledge",
            Operation::Close => "close",
            Operation::Stop => "stop",
            Operation::Go => "go",
        }
    }
}

/// A person or program, as it is written beside everything it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    pub name: String,
    pub role: Role,
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
            return Ok(Actor { name: name.to_owned(), role });
        };
        Err(Refused::new(Exit::Usage, format!("the actor's name {name:?} {wrong}")))
    }

    /// The program itself.
    pub fn engine() -> Actor {
        Actor { name: ENGINE.to_owned(), role: Role::Engine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_not_the_programs() {
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
    fn names_of_roles_and_operations_are_their_own() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        let mut names: Vec<&str> = Operation::ALL.iter().map(|op| op.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Operation::ALL.len());
    }
}
