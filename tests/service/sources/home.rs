//! A folder with a job, its files and a database, and the program run on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

pub struct Home {
    folder: tempfile::TempDir,
}

/// What `granary pull` did.
pub struct Pulled {
    pub code: i32,
    pub report: Value,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Home {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("jobs")).expect("a folder");
        std::fs::create_dir_all(folder.path().join("in")).expect("a folder");
        Home { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn db(&self) -> PathBuf {
        self.path().join("granary.db")
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("inside")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The job `pulls` with these `[[sources]]`.
    pub fn job(&self, sources: &str) {
        let text = format!("name = \"pulls\"\nkind = \"nightly\"\n{sources}");
        self.write("jobs/pulls.toml", text);
    }

    pub fn granary(&self, args: &[&str], environment: &[(&str, &str)]) -> Pulled {
        let output = Command::new(env!("CARGO_BIN_EXE_granary"))
            .arg("--db")
            .arg(self.db())
            .arg("--jobs")
            .arg(self.path().join("jobs"))
            .args(args)
            .env_remove("GRANARY_HASH_SALT")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Pulled {
            code: output.status.code().unwrap_or(-1),
            report: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub fn pull_with(&self, more: &[&str], environment: &[(&str, &str)]) -> Pulled {
        let mut args = vec!["--json", "pull", "pulls", "--date", "2026-03-01"];
        args.extend(more);
        self.granary(&args, environment)
    }

    pub fn pull(&self) -> Pulled {
        self.pull_with(&[], &[])
    }

    /// One column of the database's rows, as text.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let options = SqliteConnectOptions::new().filename(self.db());
        block_on(async {
            let mut db = SqliteConnection::connect_with(&options).await.expect("a database");
            let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql.to_owned()));
            rows.fetch_all(&mut db).await.expect("rows")
        })
    }

    /// Every sale as `item place date qty`, sorted.
    pub fn sales(&self) -> Vec<String> {
        self.rows(
            "SELECT item_id || ' ' || location_id || ' ' || date || ' ' || qty FROM sales ORDER BY 1",
        )
    }

    pub fn watermark(&self) -> Vec<String> {
        self.rows("SELECT watermark FROM source_state ORDER BY source")
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

impl Pulled {
    pub fn expect(self, code: i32) -> Pulled {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Asserts the exit code and what stderr says.
    pub fn refused(self, code: i32, parts: &[&str]) -> Pulled {
        let pulled = self.expect(code);
        for part in parts {
            assert!(pulled.stderr.contains(part), "no {part:?} in {}", pulled.stderr);
        }
        pulled
    }

    fn source(&self, at: usize) -> &Value {
        &self.report["sources"][at]
    }

    /// `[read, loaded, duplicate, rejected, replaced]` of the first source's table.
    pub fn books(&self) -> [u64; 5] {
        let mut books = [0; 5];
        let loads = self.source(0)["loads"].as_array().cloned().unwrap_or_default();
        for load in loads {
            let total = &load["tables"][0]["total"];
            for (book, name) in
                books.iter_mut().zip(["read", "loaded", "duplicate", "rejected", "replaced"])
            {
                *book += total[name].as_u64().expect(name);
            }
        }
        assert_eq!(books[0], books[1] + books[2] + books[3], "the books balance");
        books
    }

    /// The files that were loaded, in order.
    pub fn files(&self) -> Vec<String> {
        let loads = self.source(0)["loads"].as_array().cloned().unwrap_or_default();
        loads.iter().map(|load| load["of"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub fn notes(&self) -> String {
        self.source(0)["notes"].to_string()
    }

    /// Files that were left alone, and why.
    pub fn left(&self) -> BTreeMap<String, String> {
        let left = self.source(0)["files_left"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        left.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    }
}
