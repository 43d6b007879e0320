//! Which database: the command line, the environment, or `granary.toml`.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::{Exit, Refused, Secret};

/// Where inputs and plans are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// The address may hold a password.
    Postgres(Secret),
}

const DEFAULT_FILE: &str = "granary.db";

/// `granary.toml`, beside which the program is started.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    database: DatabaseSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DatabaseSettings {
    /// An SQLite file.
    path: Option<PathBuf>,
    /// A PostgreSQL address. Better without a password; see `url_file`.
    url: Option<String>,
    /// A file whose only line is the address.
    url_file: Option<PathBuf>,
}

impl Database {
    /// A file's path or a PostgreSQL address.
    pub fn parse(text: &str) -> anyhow::Result<Database> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Database::Postgres(Secret::new(text)));
        }
        match text.split_once("://") {
            Some(("sqlite", path)) => Ok(Database::Sqlite(path.into())),
            Some((scheme, _)) => {
                let message = format!(
                    "a database address begins with postgres:// or names an SQLite file, \
                     but this one begins with {scheme}://"
                );
                Err(Refused::new(Exit::Usage, message).into())
            }
            None => Ok(Database::Sqlite(text.into())),
        }
    }

    /// What [`Database::parse`] makes this of. It may hold a password.
    pub fn address(&self) -> Secret {
        match self {
            Database::Sqlite(path) => Secret::new(path.display().to_string()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// What was asked for, else what the environment's DATABASE_URL says, else `granary.toml`, else
    /// `granary.db`.
    pub fn choose(
        asked: Option<&str>,
        database_url: Option<&str>,
        settings: &Path,
    ) -> anyhow::Result<Database> {
        if let Some(text) = asked.or(database_url).filter(|text| !text.is_empty()) {
            return Database::parse(text);
        }
        if !settings.is_file() {
            return Ok(Database::Sqlite(DEFAULT_FILE.into()));
        }
        let text = std::fs::read_to_string(settings)
            .with_context(|| format!("cannot read {}", settings.display()))?;
        Database::of_settings(&text).with_context(|| format!("in {}", settings.display()))
    }

    fn of_settings(text: &str) -> anyhow::Result<Database> {
        let usage = |message: String| Refused::new(Exit::Usage, message);
        // The parser's message would show the line, and with it a password.
        let settings: Settings = toml::from_str(text)
            .map_err(|error: toml::de::Error| usage(error.message().to_owned()))?;
        match settings.database {
            DatabaseSettings { path: Some(path), url: None, url_file: None } => {
                Ok(Database::Sqlite(path))
            }
            DatabaseSettings { path: None, url: Some(url), url_file: None } => {
                Database::parse(&url)
            }
            DatabaseSettings { path: None, url: None, url_file: Some(file) } => {
                let url = std::fs::read_to_string(&file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                Database::parse(url.trim())
            }
            DatabaseSettings { path: None, url: None, url_file: None } => {
                Ok(Database::Sqlite(DEFAULT_FILE.into()))
            }
            _ => Err(usage("[database] takes one of path, url and url_file".to_owned()).into()),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite(path) => write!(out, "{}", path.display()),
            Database::Postgres(_) => out.write_str("PostgreSQL"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_chosen_by_who_speaks_first() {
        let sqlite = |path: &str| Database::Sqlite(path.into());
        let postgres = |url: &str| Database::Postgres(Secret::new(url));
        let nowhere = Path::new("no/such/granary.toml");
        for (asked, env, wanted) in [
            (None, None, sqlite("granary.db")),
            (Some("shop.db"), Some("postgres://h/d"), sqlite("shop.db")),
            (None, Some("postgres://h/d"), postgres("postgres://h/d")),
            (Some("postgresql://u:p@h/d"), None, postgres("postgresql://u:p@h/d")),
            (Some("sqlite://a/b.db"), None, sqlite("a/b.db")),
            (None, Some(""), sqlite("granary.db")),
        ] {
            let chosen = Database::choose(asked, env, nowhere).expect("a database");
            assert_eq!(chosen, wanted, "{asked:?} {env:?}");
        }
        assert!(Database::parse("mysql://u:secret@h/d").is_err());
    }

    #[test]
    fn settings_name_one_database_and_errors_show_no_secret() {
        let chosen = Database::of_settings("[database]\npath = \"x.db\"").expect("a path");
        assert_eq!(chosen, Database::Sqlite("x.db".into()));
        for wrong in [
            "[database]\npath = \"x.db\"\nurl = \"postgres://u:hunter2@h/d\"",
            "[database]\nurl = postgres://u:hunter2@h/d",
            "[database]\nurrl = \"postgres://u:hunter2@h/d\"",
            "[database]\nurl = \"mysql://u:hunter2@h/d\"",
        ] {
            let error = Database::of_settings(wrong).expect_err(wrong);
            assert!(!format!("{error:#} {error:?}").contains("hunter2"), "{error:#}");
        }
    }
}
