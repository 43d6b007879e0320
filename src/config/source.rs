//! `[[sources]]` of a job: where the night pulls its inputs from.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Secret, Table};

/// One source: rows of one input table, from one place.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Said")]
pub struct Source {
    /// Unique in its job; what was pulled is remembered under it.
    pub name: String,
    pub kind: &'static Table,
    /// The import map, below the folder of the job's file.
    pub map: Option<PathBuf>,
    /// Goes before the map's limit.
    pub reject_limit: Option<f64>,
    pub place: Place,
}

#[derive(Clone, Debug)]
pub enum Place {
    Folder(Folder),
    S3(Bucket),
    Query(Query),
}

impl Place {
    pub fn word(&self) -> &'static str {
        match self {
            Place::Folder(_) => "folder",
            Place::S3(_) => "s3",
            Place::Query(_) => "query",
        }
    }
}

/// How files are read, wherever they are.
#[derive(Clone, Debug)]
pub struct FileRules {
    /// Shell pattern on the path below the folder or prefix: `*` and `?` stay within a folder, `**/`
    /// crosses folders.
    pub pattern: String,
    /// Largest file, in MiB.
    pub file_mib_max: u64,
    /// Address space of the process that reads a file, in MiB.
    pub memory_mib_max: u64,
    /// Unpacked size of a workbook or a Parquet row group, in MiB.
    pub unpacked_mib_max: u64,
}

#[derive(Clone, Debug)]
pub struct Folder {
    /// Below the folder of the job's file, unless absolute.
    pub path: PathBuf,
    /// A file that changed within so many seconds may still be written and waits for the next pull.
    pub quiet_seconds: u64,
    pub files: FileRules,
}

#[derive(Clone, Debug)]
pub struct Bucket {
    pub bucket: String,
    pub prefix: String,
    /// `https://host[:port]`; left out: Amazon's for the region.
    pub endpoint: String,
    pub region: String,
    /// The bucket is in the path and not in the host's name.
    pub path_style: bool,
    pub credentials: Credentials,
    pub timeout_seconds: u64,
    /// Hosts that may be asked; empty: any.
    pub hosts: Vec<String>,
    pub files: FileRules,
}

/// Where the key that signs requests comes from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Two or three environment variables.
    Environment { key_id: String, secret: String, token: String },
    /// A file of `NAME = value` lines, as Amazon's tools have them, and its section.
    File { path: PathBuf, profile: String },
    /// Requests are not signed.
    None,
}

#[derive(Clone, Debug)]
pub struct Query {
    pub url: SecretPlace,
    /// One SELECT with `:watermark`, `:business_date` and `:from` as parameters.
    pub sql: String,
    pub watermark: Option<Watermark>,
    /// After so many seconds the server ends the statement.
    pub timeout_seconds: u64,
    /// A result with more rows is refused.
    pub rows_max: u64,
    /// Hosts that may be asked; empty: any.
    pub hosts: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum SecretPlace {
    Environment(String),
    File(PathBuf),
}

impl SecretPlace {
    /// # Errors
    /// The variable is not set, or the file cannot be read.
    pub fn read(&self, folder: &Path) -> anyhow::Result<Secret> {
        match self {
            SecretPlace::Environment(name) => Secret::from_env(name),
            SecretPlace::File(path) => Secret::from_file(&folder.join(path)),
        }
    }
}

/// The column whose largest value says how far was read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watermark {
    pub column: String,
    #[serde(rename = "type")]
    pub kind: WatermarkKind,
    /// Where the first pull starts.
    pub start: String,
    /// Rows that are at most so many days older than the watermark are read again, for corrections
    /// that come late. Of dates and timestamps.
    #[serde(default)]
    pub late_days: Option<u32>,
    /// The same for whole numbers.
    #[serde(default)]
    pub late_by: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatermarkKind {
    Date,
    Timestamp,
    Integer,
}

/// The TOML, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    name: String,
    kind: String,
    map: Option<PathBuf>,
    reject_limit: Option<f64>,
    folder: Option<SaidFolder>,
    s3: Option<SaidBucket>,
    query: Option<SaidQuery>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidFolder {
    path: PathBuf,
    pattern: Option<String>,
    quiet_seconds: Option<u64>,
    file_mib_max: Option<u64>,
    memory_mib_max: Option<u64>,
    unpacked_mib_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidBucket {
    bucket: String,
    #[serde(default)]
    prefix: String,
    endpoint: Option<String>,
    region: String,
    path_style: Option<bool>,
    key_id_env: Option<String>,
    secret_env: Option<String>,
    token_env: Option<String>,
    credentials_file: Option<PathBuf>,
    profile: Option<String>,
    #[serde(default)]
    anonymous: bool,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    hosts: Vec<String>,
    pattern: Option<String>,
    file_mib_max: Option<u64>,
    memory_mib_max: Option<u64>,
    unpacked_mib_max: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidQuery {
    url_env: Option<String>,
    url_file: Option<PathBuf>,
    sql: String,
    watermark: Option<Watermark>,
    timeout_seconds: Option<u64>,
    rows_max: Option<u64>,
    #[serde(default)]
    hosts: Vec<String>,
}

fn within(name: &str, value: u64, low: u64, high: u64) -> Result<u64, String> {
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(format!("{name} is {value}, should be in {low}..={high}"))
    }
}

fn file_rules(
    pattern: Option<String>,
    [file, memory, unpacked]: [Option<u64>; 3],
) -> Result<FileRules, String> {
    let pattern = pattern.unwrap_or_else(|| "*".to_owned());
    glob::Pattern::new(&pattern)
        .map_err(|error| format!("pattern {pattern:?} is no shell pattern: {}", error.msg))?;
    Ok(FileRules {
        pattern,
        file_mib_max: within("file_mib_max", file.unwrap_or(2_048), 1, 1 << 20)?,
        memory_mib_max: within("memory_mib_max", memory.unwrap_or(512), 256, 1 << 20)?,
        unpacked_mib_max: within("unpacked_mib_max", unpacked.unwrap_or(256), 1, 1 << 16)?,
    })
}

impl TryFrom<Said> for Source {
    type Error = String;

    fn try_from(said: Said) -> Result<Source, String> {
        let name = said.name;
        let wrong = |message: String| format!("source {name:?}: {message}");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(wrong("a name is of letters, digits, `_` and `-`".to_owned()));
        }
        let kind = Table::named(&said.kind)
            .ok_or_else(|| wrong(format!("kind {:?} is no input table", said.kind)))?;
        if let Some(limit) = said.reject_limit.filter(|limit| !(0.0..=1.0).contains(limit)) {
            return Err(wrong(format!("reject_limit is {limit}, should be in 0..=1")));
        }
        let place = match (said.folder, said.s3, said.query) {
            (Some(folder), None, None) => Folder::try_from(folder).map(Place::Folder),
            (None, Some(bucket), None) => Bucket::try_from(bucket).map(Place::S3),
            (None, None, Some(query)) => Query::try_from(query).map(Place::Query),
            _ => Err("needs exactly one of `folder`, `s3` and `query`".to_owned()),
        };
        let place = place.map_err(wrong)?;
        Ok(Source { name, kind, map: said.map, reject_limit: said.reject_limit, place })
    }
}

impl TryFrom<SaidFolder> for Folder {
    type Error = String;

    fn try_from(said: SaidFolder) -> Result<Folder, String> {
        let limits = [said.file_mib_max, said.memory_mib_max, said.unpacked_mib_max];
        Ok(Folder {
            path: said.path,
            quiet_seconds: within("quiet_seconds", said.quiet_seconds.unwrap_or(10), 0, 86_400)?,
            files: file_rules(said.pattern, limits)?,
        })
    }
}

impl TryFrom<SaidBucket> for Bucket {
    type Error = String;

    fn try_from(said: SaidBucket) -> Result<Bucket, String> {
        let credentials = match (&said.key_id_env, said.credentials_file, said.anonymous) {
            (None, None, true) => Credentials::None,
            (None, Some(path), false) => Credentials::File {
                path,
                profile: said.profile.unwrap_or_else(|| "default".to_owned()),
            },
            (_, None, false) => Credentials::Environment {
                key_id: said.key_id_env.unwrap_or_else(|| "AWS_ACCESS_KEY_ID".to_owned()),
                secret: said.secret_env.unwrap_or_else(|| "AWS_SECRET_ACCESS_KEY".to_owned()),
                token: said.token_env.unwrap_or_else(|| "AWS_SESSION_TOKEN".to_owned()),
            },
            _ => {
                return Err("s3 takes one of key_id_env, credentials_file and anonymous".to_owned());
            }
        };
        if said.bucket.is_empty() || said.region.is_empty() {
            return Err("s3 needs a bucket and a region".to_owned());
        }
        let given = said.endpoint.is_some();
        let endpoint = said
            .endpoint
            .unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", said.region.as_str()));
        let limits = [said.file_mib_max, said.memory_mib_max, said.unpacked_mib_max];
        Ok(Bucket {
            bucket: said.bucket,
            prefix: said.prefix,
            endpoint,
            region: said.region,
            path_style: said.path_style.unwrap_or(given),
            credentials,
            timeout_seconds: within(
                "timeout_seconds",
                said.timeout_seconds.unwrap_or(300),
                1,
                86_400,
            )?,
            hosts: said.hosts,
            files: file_rules(said.pattern, limits)?,
        })
    }
}

impl TryFrom<SaidQuery> for Query {
    type Error = String;

    fn try_from(said: SaidQuery) -> Result<Query, String> {
        let url = match (said.url_env, said.url_file) {
            (Some(name), None) => SecretPlace::Environment(name),
            (None, Some(path)) => SecretPlace::File(path),
            _ => return Err("query needs exactly one of `url_env` and `url_file`".to_owned()),
        };
        if let Some(watermark) = &said.watermark {
            let whole = watermark.kind == WatermarkKind::Integer;
            if whole && watermark.late_days.is_some() {
                return Err("watermark: `late_days` is of dates; say `late_by`".to_owned());
            }
            if !whole && watermark.late_by.is_some() {
                return Err("watermark: `late_by` is of integers; say `late_days`".to_owned());
            }
            within("late_days", watermark.late_days.unwrap_or(0).into(), 0, 3_660)?;
        }
        Ok(Query {
            url,
            sql: said.sql,
            watermark: said.watermark,
            timeout_seconds: within(
                "timeout_seconds",
                said.timeout_seconds.unwrap_or(60),
                1,
                86_400,
            )?,
            rows_max: within("rows_max", said.rows_max.unwrap_or(5_000_000), 1, 200_000_000)?,
            hosts: said.hosts,
        })
    }
}
