use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Global;
use crate::config::{ALL_TABLES, Exit, Refused, Table};
use crate::jobs::import::{ImportOptions, Report, import_files};
use crate::sources::{self, Limits, Map, nearest};

#[derive(Args)]
pub struct ImportArgs {
    /// Input table: item, location, supplier, supply_terms, sales, stock, …
    #[arg(value_name = "KIND")]
    kind: String,
    /// CSV, TSV, Parquet, XLSX or iCalendar (.ics) files.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// TOML that says how the file's columns become the table's; see data/maps and docs/import.md.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Largest share of rejected rows; above it nothing is kept [default: the map's, else 0.01].
    #[arg(long, value_name = "SHARE")]
    reject_limit: Option<f64>,
    /// Read, check and print the books, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where rejected rows go as CSV [default: <db>.rejections.csv].
    #[arg(long, value_name = "FILE")]
    rejections: Option<PathBuf>,
    /// Address space of the importing process, in MiB.
    #[arg(long, default_value_t = 4096, value_name = "MIB")]
    memory_limit_mib: u64,
    /// Processor time of the importing process, in seconds.
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    cpu_limit_seconds: u64,
    /// Largest unpacked size of a workbook or a Parquet row group, in MiB.
    #[arg(long, default_value_t = 256, value_name = "MIB")]
    unpacked_limit_mib: u64,
    /// Keys the hash of shoppers; goes before the map's `hash_salt`.
    #[arg(long, env = "GRANARY_HASH_SALT", hide_env_values = true, value_name = "TEXT")]
    hash_salt: Option<String>,
    /// Region of every calendar event in the files, such as CN-SOUTH.
    #[arg(long, value_name = "REGION", help_heading = "Calendar events")]
    region: Option<String>,
    /// Kind of every event: holiday, festival, peak, hot, workday, shutdown, payday, school.
    #[arg(long, value_name = "KIND", help_heading = "Calendar events")]
    event_kind: Option<String>,
    /// Days before each event on which buying may already differ.
    #[arg(long, value_name = "DAYS", help_heading = "Calendar events")]
    lead: Option<u8>,
    /// Days after each event on which buying may still differ.
    #[arg(long, value_name = "DAYS", help_heading = "Calendar events")]
    lag: Option<u8>,
    /// Zone whose date the UTC times of an .ics file have [default: the file's own].
    #[arg(long, value_name = "ZONE", help_heading = "Calendar events")]
    time_zone: Option<String>,
    /// This process is the limited child.
    #[arg(long, hide = true)]
    limited: bool,
}

/// A file from outside is read in a child process with limits on memory and time: running out of
/// memory ends a process, whatever it would rather do. The child writes in one transaction, so its
/// end leaves the database as it was.
pub async fn run(global: &Global, args: ImportArgs) -> anyhow::Result<Exit> {
    let kind = Table::named(&args.kind).ok_or_else(|| {
        let near = nearest(&args.kind, ALL_TABLES.iter().map(|table| table.name))
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let all: Vec<&str> = ALL_TABLES.iter().map(|table| table.name).collect();
        Refused::new(
            Exit::Usage,
            format!("{:?} is no input table{near} (want one of {})", args.kind, all.join(", ")),
        )
    })?;
    for_calendar_events(&args, kind, &mut Map::default())?;
    if !args.limited {
        return limited(&args);
    }
    limit_this_process(&args);
    let mut map = match &args.map {
        Some(path) => Map::load(path)?,
        None => Map::default(),
    };
    for_calendar_events(&args, kind, &mut map)?;
    let store = global.store().await?;
    let options = ImportOptions {
        reject_limit: args.reject_limit,
        dry_run: args.dry_run,
        limits: Limits { unpacked_bytes: args.unpacked_limit_mib << 20, ..Limits::default() },
        hash_salt: args.hash_salt.clone(),
    };
    let bar = progress_bar();
    let shown = bar.clone();
    let report = import_files(&store, kind, &args.files, &map, &options, move |rows| {
        if let Some(bar) = &shown {
            bar.set_position(rows);
        }
    })
    .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let report = report?;
    if !report.rejections.is_empty() {
        let path = args.rejections.clone().unwrap_or_else(|| {
            let beside = store.path().unwrap_or(Path::new("granary"));
            let mut name = beside.as_os_str().to_owned();
            name.push(".rejections.csv");
            PathBuf::from(name)
        });
        report.write_rejections(&path)?;
        eprintln!("{} rejected rows: {}", report.rejections.len(), path.display());
    }
    if global.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    match &report.refused {
        Some(reason) => {
            let message = format!("{reason}; nothing was changed");
            Err(Refused::new(Exit::DataRejected, message).into())
        }
        None => Ok(Exit::Ok),
    }
}

/// What the command line says of every event goes into the map.
fn for_calendar_events(args: &ImportArgs, kind: &Table, map: &mut Map) -> anyhow::Result<()> {
    let text = |text: &Option<String>| text.clone().map(toml::Value::String);
    let days = |days: Option<u8>| days.map(|days| toml::Value::Integer(days.into()));
    let given = [
        ("region", text(&args.region)),
        ("kind", text(&args.event_kind)),
        ("lead_days", days(args.lead)),
        ("lag_days", days(args.lag)),
    ];
    let any = args.time_zone.is_some() || given.iter().any(|(_, value)| value.is_some());
    if any && kind.name != "calendar_event" {
        let message = format!(
            "--region, --event-kind, --lead, --lag and --time-zone are for calendar_event, not for \
             {}",
            kind.name
        );
        return Err(Refused::new(Exit::Usage, message).into());
    }
    for (column, value) in given {
        if let Some(value) = value {
            map.set(column, value);
        }
    }
    if args.time_zone.is_some() {
        map.time_zone = args.time_zone.clone();
    }
    Ok(())
}

/// Runs the same command in a limited child and says what became of it.
fn limited(args: &ImportArgs) -> anyhow::Result<Exit> {
    use std::os::unix::process::ExitStatusExt;
    let files: Vec<String> = args.files.iter().map(|path| sources::file_name(path)).collect();
    let program = std::env::current_exe().context("cannot find this program's file")?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = std::process::Command::new(program)
        .args(arguments)
        .arg("--limited")
        // Each arena of the allocator reserves address space, which is what is limited.
        .env("MALLOC_ARENA_MAX", "2")
        .status()
        .context("cannot start the importing process")?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(Exit::Ok),
        // It has said why on stderr.
        (Some(code), _) => Ok([
            Exit::Failed,
            Exit::Usage,
            Exit::DataRejected,
            Exit::PlanHeld,
            Exit::StaleData,
            Exit::LockHeld,
        ]
        .into_iter()
        .find(|exit| *exit as i32 == code)
        .unwrap_or(Exit::Failed)),
        (None, signal) => Err(Refused::new(
            Exit::DataRejected,
            format!(
                "the process that imports {} was ended by signal {} under its limits of {} MiB and \
                 {} seconds of processor time; nothing was changed (--memory-limit-mib and \
                 --cpu-limit-seconds raise them)",
                files.join(", "),
                signal.unwrap_or_default(),
                args.memory_limit_mib,
                args.cpu_limit_seconds
            ),
        )
        .into()),
    }
}

fn limit_this_process(args: &ImportArgs) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = [
        (Resource::As, args.memory_limit_mib << 20),
        (Resource::Cpu, args.cpu_limit_seconds),
        // A core dump of an import would be a copy of the data.
        (Resource::Core, 0),
    ];
    for (resource, limit) in limits {
        let maximum = getrlimit(resource).maximum;
        let current = Some(maximum.map_or(limit, |maximum| limit.min(maximum)));
        // Refused only above the maximum, which was just read; then the old limit stands.
        let _ = setrlimit(resource, Rlimit { current, maximum: current });
    }
}

fn progress_bar() -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} rows, {elapsed}").ok()?;
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Some(bar)
}

fn print(report: &Report) {
    println!(
        "{:<16} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
        "table", "read", "loaded", "duplicate", "rejected", "replaced", "rows written"
    );
    for table in &report.tables {
        let books = &table.total;
        println!(
            "{:<16} {:>11} {:>11} {:>11} {:>11} {:>11} {:>11}",
            table.table,
            books.read,
            books.loaded,
            books.duplicate,
            books.rejected,
            books.replaced,
            books.written
        );
        for (code, count) in &table.rejected_by_code {
            println!("  rejected: {count} × {code}");
        }
    }
    let created = report.created;
    for (what, count) in [
        ("items", created.items),
        ("locations", created.locations),
        ("suppliers", created.suppliers),
    ] {
        if count > 0 {
            println!("created {count} {what} that had no master data");
        }
    }
    if report.dry_run && report.refused.is_none() {
        println!("dry run: nothing was changed");
    }
}
