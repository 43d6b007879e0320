//! The sources of a job: pulled before its night, or by hand, through the same import as files.
//!
//! Every load is one transaction, and what is remembered of a source is written in it. So a pull that
//! fails, at whatever point, has left everything as it was since the last load that was kept.

mod drift;
mod files;
mod query;
mod watermark;

use std::collections::BTreeMap;

use granary_models::calendar::Day;
use serde::Serialize;

use crate::config::source::{Place, Source};
use crate::config::{Books, Exit, Job, Refused, Secret};
use crate::jobs::import::{ImportOptions, NamedRejection, Report, TableReport};
use crate::sources::{Limits, Map};
use crate::store::Store;

/// How a pull is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct PullOptions {
    /// Reads and checks everything and changes nothing.
    pub dry_run: bool,
    /// A column that is missing or of another type than before is told and does not stop the pull.
    pub accept_schema: bool,
}

/// The accounting of a pull.
#[derive(Clone, Debug, Serialize)]
pub struct PullReport {
    pub job: String,
    pub business_date: Day,
    pub dry_run: bool,
    pub sources: Vec<SourceReport>,
    /// What ended the pull before its end; loads before it were kept.
    pub stopped: Option<Stopped>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Stopped {
    pub source: String,
    pub exit_code: i32,
    pub message: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    pub source: String,
    pub kind: &'static str,
    /// `folder`, `s3` or `query`.
    pub from: &'static str,
    pub loads: Vec<LoadReport>,
    /// Files that are as they were when they were loaded.
    pub files_unchanged: u64,
    /// Files that wait, and why.
    pub files_left: Vec<(String, String)>,
    pub notes: Vec<String>,
    pub watermark_before: Option<String>,
    pub watermark: Option<String>,
    #[serde(skip)]
    pub rejections: Vec<NamedRejection>,
}

/// One transaction: a file, or the rows of a query.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    pub of: String,
    pub tables: Vec<TableReport>,
}

impl PullReport {
    /// The exit code that the pull stands for.
    pub fn exit(&self) -> Exit {
        match &self.stopped {
            None => Exit::Ok,
            Some(stopped) => exit_of(stopped.exit_code),
        }
    }

    /// An error where the pull was stopped; a night does not go on with half of its inputs.
    ///
    /// # Errors
    /// The pull was stopped.
    pub fn complete(self) -> anyhow::Result<PullReport> {
        match &self.stopped {
            None => Ok(self),
            Some(stopped) => {
                let message = format!("source {}: {}", stopped.source, stopped.message);
                Err(Refused::new(exit_of(stopped.exit_code), message).into())
            }
        }
    }
}

impl SourceReport {
    fn new(source: &Source) -> SourceReport {
        SourceReport {
            source: source.name.clone(),
            kind: source.kind.name,
            from: source.place.word(),
            loads: Vec::new(),
            files_unchanged: 0,
            files_left: Vec::new(),
            notes: Vec::new(),
            watermark_before: None,
            watermark: None,
            rejections: Vec::new(),
        }
    }

    /// The books by table, over all loads.
    pub fn totals(&self) -> BTreeMap<&'static str, Books> {
        let mut totals: BTreeMap<&'static str, Books> = BTreeMap::new();
        for table in self.loads.iter().flat_map(|load| &load.tables) {
            let total = totals.entry(table.table).or_default();
            total.read += table.total.read;
            total.loaded += table.total.loaded;
            total.duplicate += table.total.duplicate;
            total.rejected += table.total.rejected;
            total.replaced += table.total.replaced;
            total.written += table.total.written;
        }
        totals
    }

    /// Takes a load into the books, or says why it may not stand.
    fn take(&mut self, of: &str, report: Report) -> anyhow::Result<()> {
        let refused = report.refused.map(|reason| {
            let first = report.rejections.iter().take(3).map(told).collect::<Vec<_>>().join("; ");
            format!("{of}: {reason}; nothing of it was kept. {first}")
        });
        self.loads.push(LoadReport { of: of.to_owned(), tables: report.tables });
        self.rejections.extend(report.rejections);
        match refused {
            Some(message) => Err(Refused::new(Exit::DataRejected, message.trim()).into()),
            None => Ok(()),
        }
    }
}

fn told(named: &NamedRejection) -> String {
    let rejection = &named.rejection;
    let (row, problem) = (rejection.row, &rejection.problem);
    format!("row {row}, {} = {:?}: {}", rejection.column, problem.value, problem.reason)
}

fn exit_of(code: i32) -> Exit {
    [Exit::Usage, Exit::DataRejected]
        .into_iter()
        .find(|exit| *exit as i32 == code)
        .unwrap_or(Exit::Failed)
}

/// What all sources of a pull share.
struct Pull<'a> {
    store: &'a Store,
    job: &'a Job,
    source: &'a Source,
    map: Map,
    business_date: Day,
    options: PullOptions,
}

impl Pull<'_> {
    fn import_options(&self, limits: Limits) -> ImportOptions {
        ImportOptions {
            reject_limit: self.source.reject_limit,
            dry_run: self.options.dry_run,
            limits,
            hash_salt: hash_salt(),
        }
    }
}

/// The key of shoppers' hashes, from the environment or from the file that it names.
fn hash_salt() -> Option<String> {
    let of = |secret: Secret| secret.reveal().to_owned();
    Secret::from_env("GRANARY_HASH_SALT").map(of).ok().or_else(|| {
        let path = std::env::var_os("GRANARY_HASH_SALT_FILE")?;
        Secret::from_file(path.as_ref()).map(of).ok()
    })
}

/// Pulls every source of a job, in the order of its file, until one fails.
pub async fn pull(
    store: &Store,
    job: &Job,
    business_date: Day,
    options: PullOptions,
) -> PullReport {
    let mut report = PullReport {
        job: job.name.clone(),
        business_date,
        dry_run: options.dry_run,
        sources: Vec::new(),
        stopped: None,
    };
    for source in &job.sources {
        let mut one = SourceReport::new(source);
        let done = pull_source(store, job, source, business_date, options, &mut one).await;
        report.sources.push(one);
        if let Err(error) = done {
            let exit = error.downcast_ref::<Refused>().map_or(Exit::Failed, |refused| refused.exit);
            report.stopped = Some(Stopped {
                source: source.name.clone(),
                exit_code: exit as i32,
                message: format!("{error:#}"),
            });
            break;
        }
    }
    report
}

async fn pull_source(
    store: &Store,
    job: &Job,
    source: &Source,
    business_date: Day,
    options: PullOptions,
    report: &mut SourceReport,
) -> anyhow::Result<()> {
    let map = match &source.map {
        Some(path) => Map::load(&job.folder.join(path))
            .map_err(|error| Refused::new(Exit::Usage, format!("{error:#}")))?,
        None => Map::default(),
    };
    let pull = Pull { store, job, source, map, business_date, options };
    match &source.place {
        Place::Folder(folder) => files::pull_folder(&pull, folder, report).await,
        Place::S3(bucket) => files::pull_bucket(&pull, bucket, report).await,
        Place::Query(of) => query::pull(&pull, of, report).await,
    }
}

/// A file or result that cannot be understood is rejected data; trouble with our own database is not.
fn as_rejected(error: anyhow::Error, of: &str) -> anyhow::Error {
    let ours = error.chain().any(|cause| cause.is::<sqlx::Error>());
    match error.downcast_ref::<Refused>() {
        Some(refused) => Refused::new(refused.exit, format!("{of}: {error:#}")).into(),
        None if ours => error.context(of.to_owned()),
        None => Refused::new(Exit::DataRejected, format!("{of}: {error:#}")).into(),
    }
}
