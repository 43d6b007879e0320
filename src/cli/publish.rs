use clap::Args;
use granary_models::calendar::Day;

use super::actor::ActorArgs;
use super::{Global, run};
use crate::config::{Exit, Job};
use crate::jobs::nightly::Lift;

#[derive(Args)]
pub struct PublishArgs {
    /// Name of the job whose held plan is published.
    #[arg(value_name = "JOB")]
    job: String,
    /// Only if it is of this business date [default: the newest held plan].
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Day>,
    /// Only if the plan has this digest, as `granary plan --run 'JOB@DATE!held' --json` shows it.
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    /// Why the gates that hold it do not matter this time.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    actor: ActorArgs,
}

pub async fn run(global: &Global, args: PublishArgs) -> anyhow::Result<Exit> {
    let by = args.actor.by()?;
    let job = Job::find(&global.jobs, &args.job)?;
    let store = global.store().await?;
    let which = (args.job.as_str(), args.date);
    let lift = Lift::of(&store, which, args.plan.as_deref(), by, &args.reason).await?;
    let outcome = run::run_lifted(global, &store, &job, lift).await?;
    run::report(global, &outcome)?;
    Ok(outcome.exit())
}
