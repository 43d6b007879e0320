use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Global;
use super::export_rows;
use super::read::RunArgs;
use super::text;
use crate::config::{Exit, Refused};
use crate::export::csv::CsvSink;
use crate::export::effects::answers;
use crate::export::parquet::ParquetSink;
use crate::export::xlsx::{ROW_LIMIT, XlsxSink};
use crate::export::{ExportError, Sink, rows};
use crate::store::db::Db;
use crate::store::read::advice::{self, Wanted};
use crate::store::read::effects;
use crate::store::read::lines::{self, LineQuery};
use crate::store::read::runs::{self, Run};
use crate::store::read::series;

/// Rows that are read and written at a time.
const PIECE_ROWS: i64 = 100_000;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Plan,
    Forecast,
    Production,
    Findings,
    /// Advice on open orders.
    Exceptions,
    /// Stock that should go.
    Exits,
    /// Key figures, of the whole and of each location, category and supplier.
    Kpis,
    /// Learned effects of events, promotions, prices, weather and seasons.
    Drivers,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Plan => "plan",
            What::Forecast => "forecast",
            What::Production => "production",
            What::Findings => "findings",
            What::Exceptions => "exceptions",
            What::Exits => "exits",
            What::Kpis => "kpis",
            What::Drivers => "drivers",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Parquet,
    Xlsx,
}

#[derive(Args)]
pub struct ExportArgs {
    /// Which table.
    #[arg(long, value_enum, default_value = "plan")]
    what: What,
    #[arg(long, value_enum)]
    format: Format,
    /// File to write; `-` is stdout (CSV only).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Begin a CSV with a byte order mark, so that Excel shows Chinese as Chinese.
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    which: RunArgs,
}

#[derive(Serialize)]
struct Report {
    run_id: String,
    what: &'static str,
    rows: u64,
    out: String,
}

pub async fn run(global: &Global, args: ExportArgs) -> anyhow::Result<Exit> {
    let to_stdout = args.out.as_os_str() == "-";
    if to_stdout && (args.format != Format::Csv || global.json) {
        let message = "only CSV can be written to stdout, and not together with --json";
        return Err(Refused::new(Exit::Usage, message).into());
    }
    if args.bom && args.format != Format::Csv {
        return Err(Refused::new(Exit::Usage, "--bom goes with --format csv").into());
    }
    let store = global.store().await?;
    let mut db = store.snapshot().await?;
    let run = args.which.find(&mut db).await?;
    if args.format == Format::Xlsx {
        refuse_too_many(&mut db, &run, args.what).await?;
    }
    let written = if to_stdout {
        let output = BufWriter::new(io::stdout().lock());
        write_all(&mut db, &run, args.what, Box::new(CsvSink::new(output, args.bom)?)).await?
    } else {
        let unfinished = unfinished_name(&args.out);
        let result = write_file(&mut db, &run, &args, &unfinished).await;
        match result {
            // The file appears whole or not at all.
            Ok(written) => {
                std::fs::rename(&unfinished, &args.out)
                    .with_context(|| format!("cannot write {}", args.out.display()))?;
                written
            }
            Err(error) => {
                let _ = std::fs::remove_file(&unfinished);
                return Err(error.context(format!("cannot write {}", args.out.display())));
            }
        }
    };
    let report = Report {
        run_id: run.run_id,
        what: args.what.name(),
        rows: written,
        out: args.out.display().to_string(),
    };
    if global.json {
        text::print_json(&report)?;
    } else {
        eprintln!("{} rows of {} ({}) to {}", report.rows, report.what, report.run_id, report.out);
    }
    Ok(Exit::Ok)
}

fn unfinished_name(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

/// Better said before an hour of writing than after it.
async fn refuse_too_many(db: &mut Db, run: &Run, what: What) -> anyhow::Result<()> {
    let count = match what {
        What::Plan => lines::count_lines(db, &LineQuery::of_run(&run.run_id)).await?,
        What::Forecast => series::count_forecast(db, &run.run_id).await?,
        What::Production
        | What::Findings
        | What::Exceptions
        | What::Exits
        | What::Kpis
        | What::Drivers => return Ok(()),
    };
    let count = usize::try_from(count).unwrap_or(0);
    if count >= ROW_LIMIT {
        return Err(ExportError::TooManyRows { rows: count, limit: ROW_LIMIT - 1 }.into());
    }
    Ok(())
}

async fn write_file(db: &mut Db, run: &Run, args: &ExportArgs, path: &Path) -> anyhow::Result<u64> {
    let output = BufWriter::new(File::create(path)?);
    let sink: Box<dyn Sink + Send> = match args.format {
        Format::Csv => Box::new(CsvSink::new(output, args.bom)?),
        Format::Parquet => Box::new(ParquetSink::new(output)),
        Format::Xlsx => Box::new(XlsxSink::new(output, args.what.name())?),
    };
    write_all(db, run, args.what, sink).await
}

/// Every row of the table, whatever its size. Gives their number.
async fn write_all<'a>(
    db: &mut Db,
    run: &Run,
    what: What,
    mut sink: Box<dyn Sink + 'a>,
) -> anyhow::Result<u64> {
    let mut written = 0;
    let mut offset = 0;
    let mut after = (String::new(), String::new(), String::new());
    loop {
        let piece = match what {
            What::Plan => {
                let query =
                    LineQuery { limit: Some(PIECE_ROWS), offset, ..LineQuery::of_run(&run.run_id) };
                let mut reasons = Vec::new();
                let found = lines::lines(db, &query).await?;
                for line in &found {
                    let reason = lines::reason(db, &run.run_id, &line.line_key).await?;
                    reasons.push(reason.unwrap_or_default());
                }
                export_rows::plan(run, found, reasons)
            }
            What::Forecast => {
                let found = series::forecast_after(db, &run.run_id, &after, PIECE_ROWS).await?;
                if let Some(last) = found.last() {
                    after = last.key();
                }
                export_rows::forecast(run, found)
            }
            What::Production => {
                export_rows::production(run, lines::production(db, &run.run_id, None).await?)
            }
            What::Findings => {
                let found = lines::findings(db, &run.run_id, None, PIECE_ROWS, offset).await?;
                export_rows::findings(run, found)
            }
            What::Exceptions => export_rows::exceptions(
                run,
                advice::exceptions(db, &run.run_id, Wanted::All).await?,
            ),
            What::Exits => {
                export_rows::exits(run, advice::exits(db, &run.run_id, Wanted::All).await?)
            }
            What::Kpis => export_rows::kpis(run, runs::kpis(db, &run.run_id).await?),
            What::Drivers => {
                let learned = effects::effects(db, &run.run_id).await?;
                export_rows::drivers(run, answers(&learned))
            }
        };
        let count = rows(&piece);
        if count > 0 || offset == 0 {
            sink.write(&piece)?;
        }
        written += count as u64;
        offset += count as i64;
        let in_pieces = matches!(what, What::Plan | What::Forecast | What::Findings);
        if (count as i64) < PIECE_ROWS || !in_pieces {
            break;
        }
    }
    sink.finish()?;
    Ok(written)
}
