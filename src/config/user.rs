/// The variable that names who gives a command.
pub const ACTOR_VARIABLE: &str = "GRANARY_ACTOR";

/// The name of the account, where the system tells one.
pub fn account() -> Option<String> {
    ["USER", "LOGNAME"].into_iter().find_map(told)
}

/// Who started this program, as the environment says: for the history, not for permissions.
pub fn user() -> String {
    told(ACTOR_VARIABLE).or_else(account).unwrap_or_else(|| "unknown".to_owned())
}

fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|name| !name.trim().is_empty())
}
