use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Global;
use crate::config::{Exit, Job};
use crate::schedule::{self, ChildRunner, Scheduler};
use crate::web::{self, App};

#[derive(Args)]
pub struct ServeArgs {
    /// Address of the pages. On this machine anyone may read; elsewhere a token is needed, and TLS
    /// is a proxy's work.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Serve the pages only; run nothing.
    #[arg(long)]
    no_jobs: bool,
    /// How often the clock looks, for tests.
    #[arg(
        long,
        hide = true,
        env = "GRANARY_TICK_SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=60)
    )]
    tick_seconds: u32,
}

pub async fn run(global: &Global, args: ServeArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let jobs = Job::read_all(&global.jobs)?;
    let runner = ChildRunner {
        program: schedule::this_program().context("cannot tell where this program is")?,
        database: global.database()?.address(),
        jobs: global.jobs.clone(),
        threads: global.threads,
        environment: Vec::new(),
    };
    let scheduler = Scheduler::new(store.clone(), &jobs, Arc::new(runner))?;
    let app = App::new(store, jobs)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        eprintln!("who reaches {address} needs a token: granary token create");
    }
    eprintln!("plan at http://{address}/ · Ctrl-C stops");

    let (send_stop, stop) = watch::channel(false);
    let signal = schedule::stop_signal()?;
    tokio::spawn(async move {
        signal.await;
        eprintln!("stopping; a run at work finishes first, a second Ctrl-C kills it");
        let _ = send_stop.send(true);
        // A killed night leaves the published plan whole, and the next start runs it again.
        if let Ok(again) = schedule::stop_signal() {
            again.await;
            std::process::exit(Exit::Failed as i32);
        }
    });
    let mut web_stop = stop.clone();
    let stopped = async move {
        let _ = web_stop.wait_for(|stop| *stop).await;
    };
    let web = tokio::spawn(web::serve(listener, app, stopped));
    if !args.no_jobs {
        schedule::run(scheduler, args.tick_seconds, stop).await?;
    }
    web.await.context("the web server's task")??;
    Ok(Exit::Ok)
}
