//! `serve`: the server, until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use database::ServeLock;
use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::demo;
use crate::{
    config::Config,
    erasure,
    http::{docs, metrics},
    ledger::Ledger,
    mail::Mail,
    neighbours, router,
    state::AppState,
};

/// How long requests in flight get once the server is told to stop.
const LAST_CALL: Duration = Duration::from_secs(20);

/// Run the server.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Make a demo account with a collection to look around in
    #[arg(long)]
    demo: bool,
}

pub(super) async fn run(mut config: Config, args: Args) -> anyhow::Result<()> {
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    // With an external database several servers may share the work; a data folder has one.
    let _lock = match config.database_url {
        None => Some(ServeLock::acquire(&config.data)?),
        Some(_) => None,
    };
    let database = super::open(&config).await?;
    let served = serve(config, database.pool.clone(), args.demo).await;
    let closed = database.close().await;
    served?;
    Ok(closed?)
}

async fn serve(config: Config, pool: PgPool, with_demo: bool) -> anyhow::Result<()> {
    let listen = config.listen;
    metrics::start();
    let ledger = Ledger::open(&pool).await.context("the ledger cannot be opened")?;
    let folding = ledger.projections.run();
    let _following = ledger.fx.follow();
    let state = AppState::new(config, pool, ledger, super::passwords()?);
    state.send_letters_by(Arc::new(Mail::of(&state)));
    if with_demo {
        demo::fill(&state).await?;
    }
    check_files(&state).await?;
    let router = router::build(state.clone())?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let mut signals = Signals::new()?;
    tokio::spawn(erasure::keep_going(state.clone()));
    tokio::spawn(neighbours::keep_telling(state.clone()));
    tokio::spawn(metrics::keep_up(state.clone()));
    tokio::spawn(database::statistics::keep_up(state.pool.clone()));
    let server = {
        let stopping = state.clone();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(
            axum::serve(listener, service)
                .with_graceful_shutdown(async move { stopping.stopping().await })
                .into_future(),
        )
    };
    let ticking = state.jobs.start().await.context("the clock of the jobs cannot be set up")?;
    let reacting = state.policies.run();
    let sending = state.deliveries.run();
    let rendering = state.renders.run();
    announce(&state, address, with_demo);
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping: requests in flight are finished first");
    state.stop();
    ticking.stop().await;
    let jobs = state.jobs.clone();
    let ending_jobs = tokio::spawn(async move { jobs.stop().await });
    // What is under way is sent to its end: broken off, it would have to be sent again.
    let ending_deliveries = tokio::spawn(sending.stop());
    let ending_renders = tokio::spawn(rendering.stop());
    let ended = match tokio::time::timeout(LAST_CALL, server).await {
        Ok(ended) => ended?.context("the server failed"),
        Err(_late) => {
            tracing::warn!("some requests were still running after {} s", LAST_CALL.as_secs());
            Ok(())
        }
    };
    if tokio::time::timeout(LAST_CALL, ending_jobs).await.is_err() {
        tracing::warn!("a job did not end in time; it is closed at the next start");
    }
    if tokio::time::timeout(LAST_CALL, ending_deliveries).await.is_err() {
        tracing::warn!("a delivery did not end in time; it is tried again");
    }
    if tokio::time::timeout(LAST_CALL, ending_renders).await.is_err() {
        tracing::warn!("a film did not end in time; it is made again");
    }
    // Only now: the last requests waited for the read models to show what they wrote.
    reacting.stop().await;
    folding.stop().await;
    ended
}

/// Wrong settings end the start; a server that is away now may be back in a moment.
async fn check_files(state: &AppState) -> anyhow::Result<()> {
    match state.blobs.check().await {
        Ok(()) => Ok(()),
        Err(error) if error.is_lasting() => Err(error).context("files cannot be stored"),
        Err(error) => {
            tracing::error!(%error, "files cannot be stored for now; pictures are refused until they can");
            Ok(())
        }
    }
}

fn announce(state: &AppState, address: SocketAddr, with_demo: bool) {
    let base =
        state.config.public_url.as_ref().map_or_else(|| format!("http://{address}"), ToString::to_string);
    println!("Figure Ledger listens on http://{address}");
    println!("  read and try the API:  {base}{}", docs::PAGE);
    if with_demo {
        println!("  demo account:          {} / {}", demo::USERNAME, demo::PASSWORD);
        println!(
            "  sign in:               curl -c cookies -H 'content-type: application/json' \
             -d '{{\"username\":\"{}\",\"password\":\"{}\"}}' {base}/api/auth/login",
            demo::USERNAME,
            demo::PASSWORD
        );
    }
    println!("  make an admin:         figure-ledger admin create-user NAME --admin");
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
