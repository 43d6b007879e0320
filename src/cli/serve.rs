use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Global;
use crate::config::{Exit, Job};
use crate::schedule::{self, NightRunner, Scheduler};
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
}

pub async fn run(global: &Global, args: ServeArgs) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let jobs = Job::read_all(&global.jobs)?;
    let runner = NightRunner {
        store: store.clone(),
        threads: global.threads,
        runtime: tokio::runtime::Handle::current(),
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
        schedule::run(scheduler, stop).await?;
    }
    web.await.context("the web server's task")??;
    Ok(Exit::Ok)
}
