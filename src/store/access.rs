//! Tokens of the API.

use anyhow::Context;
use sqlx::FromRow;

use super::Store;
use super::db;
use crate::config::{Actor, Exit, Refused, Role};

/// What is known of a token; the token itself is not.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, serde::Serialize)]
pub struct TokenRow {
    pub token_id: String,
    pub name: String,
    pub role: String,
    /// JSON; empty for all.
    pub locations: String,
    pub created_at: String,
    pub created_by: String,
    pub expires_at: String,
    pub revoked_at: Option<String>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    pub name: &'a str,
    pub role: Role,
    pub locations: &'a [String],
    pub created_by: &'a str,
    /// UTC, RFC 3339, as every time here.
    pub created_at: &'a str,
    pub expires_at: &'a str,
}

const PREFIX: &str = "granary_";
/// 256 bits.
const TOKEN_BYTES: usize = 32;
const ID_SIGNS: usize = 8;

impl Store {
    /// Makes a token and gives it; it cannot be read again.
    pub async fn create_token(&self, new: &NewToken<'_>) -> anyhow::Result<String> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        let signs: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{PREFIX}{signs}");
        let insert = db::query(
            "INSERT INTO api_token (token_id, digest, name, role, locations, created_at, \
             created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&signs[..ID_SIGNS])
        .bind(digest(&token))
        .bind(new.name)
        .bind(new.role.as_str())
        .bind(serde_json::to_string(new.locations)?)
        .bind(new.created_at)
        .bind(new.created_by)
        .bind(new.expires_at);
        self.execute(insert).await.context("cannot keep the token")?;
        Ok(token)
    }

    /// Whose token it is; `None` for one that is unknown, expired or revoked.
    pub async fn actor_of_token(&self, token: &str, now: &str) -> anyhow::Result<Option<Actor>> {
        if token.len() != PREFIX.len() + 2 * TOKEN_BYTES || !token.starts_with(PREFIX) {
            return Ok(None);
        }
        // The digest is looked up, never compared sign by sign, so the time it takes tells nothing.
        let found: Option<(String, String, String)> = db::query_as(
            "SELECT name, role, locations FROM api_token \
             WHERE digest = $1 AND revoked_at IS NULL AND expires_at > $2",
        )
        .bind(digest(token))
        .bind(now)
        .fetch_optional(&mut self.snapshot().await?)
        .await?;
        let Some((name, role, locations)) = found else { return Ok(None) };
        let role = Role::parse(&role).with_context(|| format!("the role {role:?} of a token"))?;
        Ok(Some(Actor { name, role, locations: serde_json::from_str(&locations)? }))
    }

    /// Every token, the newest first.
    pub async fn tokens(&self) -> anyhow::Result<Vec<TokenRow>> {
        Ok(db::query_as(
            "SELECT token_id, name, role, locations, created_at, created_by, expires_at, \
             revoked_at FROM api_token ORDER BY created_at DESC, token_id",
        )
        .fetch_all(&mut self.snapshot().await?)
        .await?)
    }

    /// Ends a token, named by its first signs or by its owner's name. Gives how many it ended.
    pub async fn revoke_token(&self, which: &str, now: &str) -> anyhow::Result<u64> {
        let update = db::query(
            "UPDATE api_token SET revoked_at = $2 \
             WHERE (token_id = $1 OR name = $1) AND revoked_at IS NULL",
        )
        .bind(which)
        .bind(now);
        let ended = self.execute(update).await?;
        if ended == 0 {
            let message = format!("no valid token is called {which:?}; see `granary token list`");
            return Err(Refused::new(Exit::Usage, message).into());
        }
        Ok(ended)
    }
}

fn digest(token: &str) -> String {
    blake3::hash(token.as_bytes()).to_hex().to_string()
}
