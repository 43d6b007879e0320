//! Secrets: where they may come from, and that they are never shown.

use std::fmt;
use std::path::Path;

use super::{Exit, Refused};

/// A text that is used and never shown: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who needs it to connect or to sign.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// From an environment variable.
    ///
    /// # Errors
    /// The variable is not set, empty or not UTF-8.
    pub fn from_env(name: &str) -> anyhow::Result<Secret> {
        match std::env::var(name) {
            Ok(text) if !text.trim().is_empty() => Ok(Secret(text)),
            Ok(_) => Err(usage(format!("the environment variable {name} is empty"))),
            Err(std::env::VarError::NotPresent) => {
                Err(usage(format!("the environment variable {name} is not set")))
            }
            // The variable's bytes are in the other error's text.
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(usage(format!("the environment variable {name} is not UTF-8")))
            }
        }
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is empty.
    pub fn from_file(path: &Path) -> anyhow::Result<Secret> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            usage(format!("cannot read the secret in {}: {}", path.display(), error.kind()))
        })?;
        match text.lines().next() {
            Some(line) if !line.trim().is_empty() => Ok(Secret(line.to_owned())),
            _ => Err(usage(format!("the first line of {} is empty", path.display()))),
        }
    }

    /// `text` without this secret, wherever it stands.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "***") }
    }
}

fn usage(message: String) -> anyhow::Error {
    Refused::new(Exit::Usage, message).into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.redact("password hunter2 is wrong"), "password *** is wrong");
        assert_eq!(Secret::new("").redact("as it was"), "as it was");
    }

    #[test]
    fn an_unset_variable_is_named() {
        let error = Secret::from_env("GRANARY_TEST_UNSET").expect_err("it is not set");
        assert!(error.to_string().contains("GRANARY_TEST_UNSET is not set"), "{error}");
    }
}
