//! Tokens of the API: made, listed, revoked.

use chrono::Duration;
use clap::{Args, Subcommand};

use super::Global;
use super::text::{self, Align, Style, Table};
use crate::config::clock::stamp;
use crate::config::{Exit, Refused, Role, clock, user};
use crate::store::access::{NewToken, TokenRow};

#[derive(Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a token and show it, once.
    Create(CreateArgs),
    /// Who has tokens, and until when. The tokens themselves are not kept.
    List,
    /// End a token at once.
    Revoke {
        /// The token's first eight signs, or the name it was made for.
        #[arg(value_name = "TOKEN")]
        which: String,
    },
}

#[derive(Args)]
struct CreateArgs {
    /// Who will use it; stands beside everything that is done with it.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// planner, approver, purchasing, analyst, operator or engine.
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// Days until it ends.
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=730))]
    days: u16,
    /// Only lines of these locations [default: all].
    #[arg(long, value_name = "LOCATION")]
    location: Vec<String>,
}

pub async fn run(global: &Global, args: TokenArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let now = clock::now();
    match args.what {
        What::Create(args) => {
            let role = Role::parse(&args.role)
                .filter(|role| !matches!(role, Role::Migrator | Role::Local));
            let role = role.ok_or_else(|| {
                let message = format!(
                    "{:?} is no role of the API; it is one of planner, approver, purchasing, \
                     analyst, operator, engine",
                    args.role
                );
                Refused::new(Exit::Usage, message)
            })?;
            let expires_at = stamp(now + Duration::days(i64::from(args.days)));
            let new = NewToken {
                name: &args.name,
                role,
                locations: &args.location,
                created_by: &user(),
                created_at: &stamp(now),
                expires_at: &expires_at,
            };
            let token = store.create_token(&new).await?;
            if global.json {
                let said = serde_json::json!({ "token": token, "expires_at": expires_at });
                text::print_json(&said)?;
            } else {
                text::print(&format!("{token}\n"))?;
                eprintln!(
                    "for {} as {}, until {expires_at}; it is not shown again",
                    args.name, args.role
                );
            }
        }
        What::List => {
            let tokens = store.tokens().await?;
            if global.json {
                text::print_json(&tokens)?;
                return Ok(Exit::Ok);
            }
            let mut table = Table::new(&[
                ("token", Align::Left, 10),
                ("name", Align::Left, 24),
                ("role", Align::Left, 12),
                ("made by", Align::Left, 16),
                ("until (UTC)", Align::Left, 22),
                ("", Align::Left, 30),
            ]);
            for token in tokens {
                let ended = match &token.revoked_at {
                    Some(at) => format!("revoked {at}"),
                    None if token.expires_at <= stamp(now) => "expired".to_owned(),
                    None => String::new(),
                };
                let TokenRow { token_id, name, role, created_by, expires_at, .. } = token;
                table.row(vec![token_id, name, role, created_by, expires_at, ended]);
            }
            text::print(&table.render(Style::of_stdout(), 0))?;
        }
        What::Revoke { which } => {
            let ended = store.revoke_token(&which, &stamp(now)).await?;
            eprintln!("{ended} ended");
        }
    }
    Ok(Exit::Ok)
}
