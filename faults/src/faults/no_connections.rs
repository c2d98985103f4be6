//! Somebody takes every connection that PostgreSQL has to give.

use super::Fault;
use crate::real::proxy::Mode;
use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

/// No connections are left.
pub struct NoConnections;

#[async_trait(?Send)]
impl Fault for NoConnections {
    fn name(&self) -> &'static str {
        "no_connections"
    }

    fn tries(&self) -> &'static str {
        "every connection of PostgreSQL is taken for 3 s, after the servers have lost theirs"
    }

    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()> {
        let mut taken = Vec::new();
        for node in &stage.nodes {
            node.proxy.set_existing(Mode::Cut);
        }
        let begun = Instant::now();
        // As they come back, somebody else is faster.
        while begun.elapsed() < Duration::from_secs(3) {
            match PgConnection::connect_with(&stage.ground.options()).await {
                Ok(connection) => taken.push(connection),
                Err(_none_left) => {
                    tokio::time::sleep(Duration::from_millis(rng.random_range(5..50))).await;
                }
            }
        }
        anyhow::ensure!(taken.len() > 20, "only {} connections could be taken", taken.len());
        for connection in taken {
            let _ = connection.close().await;
        }
        Ok(())
    }
}
