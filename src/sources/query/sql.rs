//! One SELECT and nothing else, with `:name` parameters turned into a driver's placeholders.
//!
//! The text is taken apart as the server would do it: quoted texts and names, comments, dollar
//! quotes. What is left over decides. The server is asked to refuse writes as well; this is the
//! first of two locks, and gives the better message.

use anyhow::{bail, ensure};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    Date,
    Timestamp,
    Integer,
}

/// A named value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: ParameterKind,
    pub value: String,
}

/// A statement ready for a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    /// By place: what to bind.
    pub binds: Vec<String>,
    /// Names that the statement uses.
    pub used: Vec<&'static str>,
}

/// Words that only a statement with effects has. `FOR UPDATE` takes locks, `INTO` makes tables and
/// files.
const REFUSED: [&str; 22] = [
    "into",
    "insert",
    "update",
    "delete",
    "merge",
    "drop",
    "alter",
    "create",
    "truncate",
    "grant",
    "revoke",
    "call",
    "exec",
    "execute",
    "attach",
    "detach",
    "pragma",
    "copy",
    "lock",
    "vacuum",
    "load_file",
    "set",
];

/// Reads the text once; what is kept is the statement without its comments.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    out: String,
}

/// # Errors
/// More than one statement, one that does not start with SELECT or WITH, a word that changes
/// something, a parameter that does not exist, a placeholder of the driver's own.
pub fn translate(
    sql: &str,
    dialect: Dialect,
    parameters: &[Parameter],
) -> anyhow::Result<Statement> {
    let mut reader = Reader { text: sql, at: 0, dialect, out: String::new() };
    let (mut binds, mut used, mut first, mut ended) = (Vec::new(), Vec::new(), None, false);
    while let Some(sign) = reader.rest().chars().next() {
        if reader.comment()? {
            reader.out.push(' ');
            continue;
        }
        ensure!(
            !ended || sign.is_whitespace() || sign == ';',
            "only one statement is run; there is something after the `;`"
        );
        if sign == ';' {
            ended = true;
            reader.at += 1;
        } else if reader.quoted()? {
        } else if sign == '_' || sign.is_alphabetic() {
            let word = reader.word();
            check_word(&word, &mut first)?;
            reader.out.push_str(&word);
        } else if reader.rest().starts_with("::") {
            // A cast, and no parameter.
            reader.out.push_str("::");
            reader.at += 2;
        } else if let Some(name) = reader.parameter() {
            let Some(parameter) = parameters.iter().find(|one| one.name == name) else {
                let names: Vec<&str> = parameters.iter().map(|one| one.name).collect();
                bail!("there is no parameter `:{name}`; there are :{}", names.join(", :"));
            };
            binds.push(parameter.value.clone());
            if !used.contains(&parameter.name) {
                used.push(parameter.name);
            }
            let place = placeholder(dialect, parameter.kind, binds.len());
            reader.out.push_str(&place);
        } else {
            let numbered =
                sign == '$' && reader.rest()[1..].starts_with(|next: char| next.is_ascii_digit());
            ensure!(
                !(numbered || sign == '?' && dialect != Dialect::Postgres),
                "parameters are written as `:name`, not as `{sign}`"
            );
            reader.out.push(sign);
            reader.at += sign.len_utf8();
        }
    }
    ensure!(first.is_some(), "the statement is empty");
    Ok(Statement { sql: reader.out.trim().to_owned(), binds, used })
}

fn check_word(word: &str, first: &mut Option<String>) -> anyhow::Result<()> {
    let lower = word.to_ascii_lowercase();
    if first.is_none() {
        ensure!(
            matches!(lower.as_str(), "select" | "with"),
            "a source only reads: the statement should start with SELECT or WITH, not with {word}"
        );
        *first = Some(lower);
        return Ok(());
    }
    ensure!(
        !REFUSED.contains(&lower.as_str()),
        "a source only reads: {} may not stand in its statement (a column of that name goes in \
         quotes)",
        word.to_ascii_uppercase()
    );
    Ok(())
}

/// Bound as text, because that is what a watermark is kept as, and cast to what it is compared with.
fn placeholder(dialect: Dialect, kind: ParameterKind, number: usize) -> String {
    match (dialect, kind) {
        (Dialect::Postgres, kind) => {
            let to = match kind {
                ParameterKind::Date => "date",
                ParameterKind::Timestamp => "timestamp",
                ParameterKind::Integer => "bigint",
            };
            format!("CAST(CAST(${number} AS text) AS {to})")
        }
        (Dialect::MySql, kind) => {
            let to = match kind {
                ParameterKind::Date => "DATE",
                ParameterKind::Timestamp => "DATETIME(6)",
                ParameterKind::Integer => "SIGNED",
            };
            format!("CAST(? AS {to})")
        }
        (Dialect::Sqlite, ParameterKind::Integer) => "CAST(? AS INTEGER)".to_owned(),
        // SQLite keeps dates as text in ISO 8601.
        (Dialect::Sqlite, _) => "?".to_owned(),
    }
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Passes a comment over.
    fn comment(&mut self) -> anyhow::Result<bool> {
        let rest = self.rest();
        // MySQL wants a space after two dashes, else they are two minus signs.
        let dashes = rest.starts_with("--")
            && (self.dialect != Dialect::MySql
                || rest[2..].chars().next().is_none_or(char::is_whitespace));
        if dashes || rest.starts_with('#') && self.dialect == Dialect::MySql {
            self.at += rest.find('\n').unwrap_or(rest.len());
            return Ok(true);
        }
        if !rest.starts_with("/*") {
            return Ok(false);
        }
        ensure!(
            !(self.dialect == Dialect::MySql
                && (rest.starts_with("/*!") || rest.starts_with("/*M"))),
            "a comment that MariaDB and MySQL run (`/*!`) may not stand in a source's statement"
        );
        let nests = self.dialect == Dialect::Postgres;
        let (mut depth, mut at) = (0usize, 0);
        while at < rest.len() {
            if rest[at..].starts_with("/*") && (nests || depth == 0) {
                depth += 1;
                at += 2;
            } else if rest[at..].starts_with("*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    self.at += at;
                    return Ok(true);
                }
            } else {
                at += rest[at..].chars().next().map_or(1, char::len_utf8);
            }
        }
        bail!("a comment is not closed")
    }

    /// Copies a quoted text or name.
    fn quoted(&mut self) -> anyhow::Result<bool> {
        let rest = self.rest();
        let Some(quote) = rest.chars().next() else { return Ok(false) };
        let end = match quote {
            '\'' | '"' => {
                let escapes = match self.dialect {
                    Dialect::MySql => true,
                    // E'…', whose E was copied as a word.
                    Dialect::Postgres => quote == '\'' && self.after_e(),
                    Dialect::Sqlite => false,
                };
                closing(rest, quote, escapes)
            }
            '`' if self.dialect != Dialect::Postgres => closing(rest, '`', false),
            '[' if self.dialect == Dialect::Sqlite => rest.find(']').map(|at| at + 1),
            '$' if self.dialect == Dialect::Postgres => match dollar_tag(rest) {
                Some(tag) => rest[tag.len()..].find(tag).map(|at| at + 2 * tag.len()),
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        let Some(end) = end else { bail!("a quote {quote} is not closed") };
        let text = rest[..end].to_owned();
        self.out.push_str(&text);
        self.at += end;
        Ok(true)
    }

    fn after_e(&self) -> bool {
        let mut before = self.out.chars().rev();
        let e = before.next().is_some_and(|sign| matches!(sign, 'e' | 'E'));
        e && before.next().is_none_or(|sign| !sign.is_alphanumeric() && sign != '_')
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let inside = |sign: char| sign == '_' || sign == '$' || sign.is_alphanumeric();
        let end = rest.find(|sign| !inside(sign)).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }

    /// `:name`.
    fn parameter(&mut self) -> Option<String> {
        let rest = self.rest();
        let name = rest.strip_prefix(':')?;
        if !name.starts_with(|sign: char| sign == '_' || sign.is_ascii_alphabetic()) {
            return None;
        }
        let end = name
            .find(|sign: char| sign != '_' && !sign.is_ascii_alphanumeric())
            .unwrap_or(name.len());
        let name = name[..end].to_owned();
        self.at += 1 + end;
        Some(name)
    }
}

/// Where a quoted text ends, after its closing quote.
fn closing(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if sign == '\\' && escapes {
            signs.next();
        } else if sign == quote {
            if signs.peek().is_some_and(|&(_, next)| next == quote) {
                signs.next();
            } else {
                return Some(at + quote.len_utf8());
            }
        }
    }
    None
}

/// `$$` or `$tag$` at the start.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let name = &text[1..end - 1];
    let starts = name.chars().next().is_none_or(|sign| sign == '_' || sign.is_alphabetic());
    let rest = name.chars().all(|sign| sign == '_' || sign.is_alphanumeric());
    (starts && rest).then_some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Vec<Parameter> {
        let one = |name, kind, value: &str| Parameter { name, kind, value: value.to_owned() };
        vec![
            one("watermark", ParameterKind::Timestamp, "2026-01-02 00:00:00"),
            one("business_date", ParameterKind::Date, "2026-01-03"),
            one("from", ParameterKind::Date, "2025-01-03"),
        ]
    }

    fn check(dialect: Dialect, sql: &str, want: Result<(&str, usize), &str>) {
        let got = translate(sql, dialect, &parameters());
        match (got, want) {
            (Ok(got), Ok((text, binds))) => {
                assert_eq!((got.sql.as_str(), got.binds.len()), (text, binds), "{sql}");
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{sql}: {error}");
            }
            (got, want) => panic!("{sql}: {got:?}, want {want:?}"),
        }
    }

    #[test]
    fn one_select_and_nothing_else() {
        use Dialect::*;
        for dialect in [Postgres, MySql, Sqlite] {
            for (sql, want) in [
                ("SELECT 1", Ok(("SELECT 1", 0))),
                ("select 1 ; ", Ok(("select 1", 0))),
                ("SELECT 1;;", Ok(("SELECT 1", 0))),
                ("SELECT 1 -- ; DROP", Ok(("SELECT 1", 0))),
                ("SELECT 1; -- done", Ok(("SELECT 1", 0))),
                ("/* a ; b */ SELECT 1", Ok(("SELECT 1", 0))),
                ("(SELECT 1) UNION SELECT 2", Ok(("(SELECT 1) UNION SELECT 2", 0))),
                (
                    "WITH a AS (SELECT 1) SELECT * FROM a",
                    Ok(("WITH a AS (SELECT 1) SELECT * FROM a", 0)),
                ),
                ("SELECT ';' AS x", Ok(("SELECT ';' AS x", 0))),
                ("SELECT 'it''s; :from' AS x", Ok(("SELECT 'it''s; :from' AS x", 0))),
                ("SELECT \"delete\" FROM t", Ok(("SELECT \"delete\" FROM t", 0))),
                ("SELECT 1; SELECT 2", Err("only one statement")),
                ("SELECT 1; DROP TABLE t", Err("only one statement")),
                ("SELECT ';'; DELETE FROM t", Err("only one statement")),
                ("SELECT 1 /* ; */ ; x", Err("only one statement")),
                ("DELETE FROM t", Err("should start with SELECT or WITH")),
                ("UPDATE t SET a = 1", Err("should start with SELECT")),
                ("EXPLAIN SELECT 1", Err("should start with SELECT")),
                ("-- SELECT\nDROP TABLE t", Err("should start with SELECT")),
                ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", Err("DELETE may not")),
                ("SELECT * INTO t2 FROM t", Err("INTO may not")),
                ("SELECT * FROM t FOR UPDATE", Err("UPDATE may not")),
                ("SELECT 1 INTO OUTFILE '/x'", Err("INTO may not")),
                ("", Err("empty")),
                ("  -- nothing", Err("empty")),
                ("SELECT 'open", Err("not closed")),
                ("SELECT /* open", Err("not closed")),
                ("SELECT :nobody", Err("no parameter `:nobody`; there are :watermark")),
            ] {
                check(dialect, sql, want);
            }
        }
    }

    #[test]
    fn each_dialect_is_read_as_its_server_reads_it() {
        use Dialect::*;
        // The same bytes, a different end of the text: what is data here is a statement there.
        check(
            MySql,
            r"SELECT 'a\'; DELETE FROM t -- '",
            Ok((r"SELECT 'a\'; DELETE FROM t -- '", 0)),
        );
        check(Postgres, r"SELECT 'a\'; DELETE FROM t -- '", Err("only one statement"));
        check(Sqlite, r"SELECT 'a\'; DELETE FROM t -- '", Err("only one statement"));
        check(Postgres, r"SELECT E'a\'; x'", Ok((r"SELECT E'a\'; x'", 0)));
        check(Postgres, "SELECT $$a; b$$", Ok(("SELECT $$a; b$$", 0)));
        check(Postgres, "SELECT $t$a; $$ b$t$", Ok(("SELECT $t$a; $$ b$t$", 0)));
        check(Postgres, "SELECT /* a /* b */ ; */ 1", Ok(("SELECT   1", 0)));
        check(MySql, "SELECT /* a /* b */ ; */ 1", Err("only one statement"));
        check(MySql, "SELECT 1 # ; x", Ok(("SELECT 1", 0)));
        check(MySql, "SELECT 1 --2", Ok(("SELECT 1 --2", 0)));
        check(MySql, "SELECT `a;b` FROM t", Ok(("SELECT `a;b` FROM t", 0)));
        check(MySql, "SELECT 1 /*!50000 ; DROP TABLE t */", Err("/*!"));
        check(MySql, "SELECT 1 /*M!100 INTO OUTFILE 'x' */", Err("/*!"));
        check(Sqlite, "SELECT [a;b] FROM t", Ok(("SELECT [a;b] FROM t", 0)));
        check(Postgres, "SELECT 1::text", Ok(("SELECT 1::text", 0)));
        check(Postgres, "SELECT a ? 'k'", Ok(("SELECT a ? 'k'", 0)));
        check(Postgres, "SELECT $1", Err("written as `:name`"));
        check(MySql, "SELECT ?", Err("written as `:name`"));
    }

    #[test]
    fn parameters_become_placeholders() {
        use Dialect::*;
        let sql =
            "SELECT * FROM t WHERE at > :watermark AND day < :business_date OR at > :watermark";
        let got = translate(sql, Postgres, &parameters()).expect("legal");
        assert_eq!(
            got.sql,
            "SELECT * FROM t WHERE at > CAST(CAST($1 AS text) AS timestamp) AND day < \
             CAST(CAST($2 AS text) AS date) OR at > CAST(CAST($3 AS text) AS timestamp)"
        );
        assert_eq!(got.binds, ["2026-01-02 00:00:00", "2026-01-03", "2026-01-02 00:00:00"]);
        assert_eq!(got.used, ["watermark", "business_date"]);
        let got = translate(sql, MySql, &parameters()).expect("legal");
        assert!(got.sql.contains("at > CAST(? AS DATETIME(6)) AND day < CAST(? AS DATE)"));
        let got = translate(sql, Sqlite, &parameters()).expect("legal");
        assert!(got.sql.contains("at > ? AND day < ?"), "{}", got.sql);
    }
}
