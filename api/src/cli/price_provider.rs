//! `price-provider`: a price provider over files.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::price_provider;

/// Serve prices from files, in the contract that the price sweep asks in
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder: stores.json, and for each store a file of its products, such as harbour.json
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// What whoever asks must send as a bearer token
    #[arg(long, value_name = "KEY", env = "FIGURE_PROXY_KEY", hide_env_values = true)]
    key: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let stores = price_provider::count_stores(args.dir.clone())?;
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    let mut out = std::io::stdout();
    writeln!(out, "{stores} stores at http://{address}")?;
    writeln!(out, "  ask it with:  FIGURE_PROXY_URL=http://{address} figure-ledger serve")?;
    let key = args.key.filter(|key| !key.is_empty());
    axum::serve(listener, price_provider::routes(args.dir, key))
        .with_graceful_shutdown(async {
            let _told = super::instance::told_to_stop().await;
        })
        .await
        .context("the provider failed")
}
