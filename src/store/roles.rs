//! The roles of PostgreSQL, from `data/roles.toml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;
use sqlx::AssertSqlSafe;

use super::Store;
use super::db::{self, Dialect};
use crate::config::{Exit, Refused};

const PAGE: &str = include_str!("../../data/roles.toml");
pub const OWNER: &str = "granary_owner";

/// Groups of tables and views, and what each role may do with them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolePage {
    pub groups: BTreeMap<String, Vec<String>>,
    pub roles: BTreeMap<String, Grants>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    pub select: Vec<String>,
    pub insert: Vec<String>,
    pub update: Vec<String>,
    pub delete: Vec<String>,
    /// Functions, with the types of their arguments.
    pub execute: Vec<String>,
}

impl Grants {
    pub fn verbs(&self) -> [(&'static str, &[String]); 4] {
        [
            ("SELECT", &self.select),
            ("INSERT", &self.insert),
            ("UPDATE", &self.update),
            ("DELETE", &self.delete),
        ]
    }
}

impl RolePage {
    pub fn read() -> anyhow::Result<RolePage> {
        let page: RolePage = toml::from_str(PAGE).context("data/roles.toml")?;
        for (role, grants) in &page.roles {
            for group in grants.verbs().into_iter().flat_map(|(_, groups)| groups) {
                anyhow::ensure!(page.groups.contains_key(group), "{role} names no group {group}");
            }
        }
        Ok(page)
    }

    /// Tables and views of these groups, sorted.
    pub fn objects(&self, groups: &[String]) -> BTreeSet<&str> {
        groups.iter().flat_map(|group| &self.groups[group]).map(String::as_str).collect()
    }
}

/// Whether rows are shown by location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByLocation {
    Yes,
    No,
}

/// The statements that make the roles, in order; safe to repeat. They want a superuser, or the owner of
/// the database with the right to make roles.
pub fn statements(by_location: ByLocation) -> anyhow::Result<Vec<String>> {
    let page = RolePage::read()?;
    let mut sql = Vec::new();
    let names: Vec<String> = page.roles.keys().map(|role| format!("granary_{role}")).collect();
    for role in [OWNER, "granary_migrator"].into_iter().chain(names.iter().map(String::as_str)) {
        sql.push(format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN \
             CREATE ROLE {role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS; \
             END IF; END $$"
        ));
    }
    sql.push(format!("GRANT {OWNER} TO granary_migrator"));
    sql.push(in_schema("REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC"));
    sql.push(in_schema(&format!("GRANT USAGE, CREATE ON SCHEMA %1$I TO {OWNER}")));
    sql.push(owned());
    for (role, grants) in &page.roles {
        let role = format!("granary_{role}");
        sql.push(in_schema(&format!("REVOKE ALL ON ALL TABLES IN SCHEMA %1$I FROM {role}")));
        sql.push(in_schema(&format!("GRANT USAGE ON SCHEMA %1$I TO {role}")));
        for (verb, groups) in grants.verbs() {
            let objects = page.objects(groups);
            if !objects.is_empty() {
                let objects: Vec<&str> = objects.into_iter().collect();
                sql.push(format!("GRANT {verb} ON {} TO {role}", objects.join(", ")));
            }
        }
        for function in &grants.execute {
            sql.push(format!("GRANT EXECUTE ON FUNCTION {function} TO {role}"));
        }
    }
    sql.extend(row_security(by_location));
    Ok(sql)
}

/// A statement with the schema's name put in for `%1$I`.
fn in_schema(statement: &str) -> String {
    format!("DO $$ BEGIN EXECUTE format('{statement}', current_schema()); END $$")
}

/// Every table, view and function of the schema belongs to the owner.
fn owned() -> String {
    format!(
        "DO $$ DECLARE name text; BEGIN \
         FOR name IN SELECT c.oid::regclass::text FROM pg_class c \
           WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v') LOOP \
           EXECUTE format('ALTER TABLE %s OWNER TO {OWNER}', name); \
         END LOOP; \
         FOR name IN SELECT p.oid::regprocedure::text FROM pg_proc p \
           WHERE p.pronamespace = current_schema()::regnamespace LOOP \
           EXECUTE format('ALTER FUNCTION %s OWNER TO {OWNER}', name); \
         END LOOP; END $$"
    )
}

/// Rows of a location are shown to logins that may see it. The two questions are asked once a
/// statement, not once a row. The owner is bound too (`FORCE`), so that a view or a function of its
/// cannot leak; the engine and the owner have a policy of their own.
fn row_security(by_location: ByLocation) -> Vec<String> {
    let of_each = |act: &str| {
        format!(
            "DO $$ DECLARE name text; BEGIN \
             FOR name IN SELECT c.oid::regclass::text FROM pg_class c \
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'location_id' \
               WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' \
                 AND c.relname <> 'location_access' LOOP {act} END LOOP; END $$"
        )
    };
    let drop = of_each(
        "EXECUTE format('DROP POLICY IF EXISTS granary_by_location ON %s', name); \
         EXECUTE format('DROP POLICY IF EXISTS granary_everywhere ON %s', name);",
    );
    if by_location == ByLocation::No {
        return vec![
            drop,
            of_each(
                "EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', name); \
                 EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', name);",
            ),
        ];
    }
    let function = |name: &str, returns: &str, body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS {returns} LANGUAGE sql STABLE \
             SECURITY DEFINER AS $$ {body} $$"
        )
    };
    vec![
        drop,
        function(
            "granary_sees_all",
            "boolean",
            "SELECT NOT EXISTS (SELECT 1 FROM location_access WHERE login = session_user)",
        ),
        function(
            "granary_locations",
            "text[]",
            "SELECT coalesce(array_agg(location_id), ARRAY[]::text[]) FROM location_access \
             WHERE login = session_user",
        ),
        "DO $$ DECLARE name text; BEGIN \
         FOREACH name IN ARRAY ARRAY['granary_sees_all()', 'granary_locations()'] LOOP \
           EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, \
                          current_schema()); \
           EXECUTE format('ALTER FUNCTION %s OWNER TO granary_owner', name); \
         END LOOP; END $$"
            .to_owned(),
        of_each(
            "EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name); \
             EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name); \
             EXECUTE format('CREATE POLICY granary_everywhere ON %s TO granary_engine, \
                             granary_owner USING (true) WITH CHECK (true)', name); \
             EXECUTE format('CREATE POLICY granary_by_location ON %s USING \
                             ((SELECT granary_sees_all()) OR location_id = '''' OR \
                              location_id = ANY ((SELECT granary_locations())::text[]))', name);",
        ),
    ]
}

impl Store {
    /// Makes the roles, all of them or none.
    pub async fn apply_roles(&self, by_location: ByLocation) -> anyhow::Result<()> {
        let mut transaction = self.write().await?;
        if transaction.dialect() == Dialect::Sqlite {
            let message = "SQLite has no roles; there the API sees to them (granary token)";
            return Err(Refused::new(Exit::Usage, message).into());
        }
        for sql in statements(by_location)? {
            db::query(AssertSqlSafe(sql.clone()))
                .execute(&mut transaction)
                .await
                .with_context(|| format!("in: {sql}"))?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
