//! Who gives a command that is written down with a name.

use clap::Args;

use crate::config::{ACTOR_VARIABLE, Actor, Exit, Refused, Role, account, clock};
use crate::jobs::release::By;

#[derive(Args, Clone)]
pub struct ActorArgs {
    /// Who you are, as it is written down [default: the name of your account].
    #[arg(long = "as", env = ACTOR_VARIABLE, value_name = "NAME")]
    name: Option<String>,
}

impl ActorArgs {
    /// # Errors
    /// When no name is given and the system tells none.
    pub fn by(&self) -> anyhow::Result<By> {
        let Some(name) = self.name.clone().or_else(account) else {
            let message = "who are you? Say --as NAME or set GRANARY_ACTOR";
            return Err(Refused::new(Exit::Usage, message).into());
        };
        Ok(By { actor: Actor::new(&name, Role::Local)?, at: clock::now() })
    }
}
