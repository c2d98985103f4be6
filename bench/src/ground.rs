//! The PostgreSQL that everything is measured on, and its databases.

use anyhow::Context;
use database::{Cluster, ClusterOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use std::path::Path;

/// As many connections as the server's own pool has.
pub const POOL_SIZE: u32 = 20;

/// A private cluster with fsync on, and how long the run may take.
pub struct Ground {
    cluster: Cluster,
    /// Whether the run is to be short.
    pub quick: bool,
    keep: bool,
}

impl Ground {
    /// Makes or starts the cluster of a folder.
    pub async fn new(folder: &Path, quick: bool, keep: bool) -> anyhow::Result<Self> {
        let options = ClusterOptions { max_connections: 300, ..ClusterOptions::default() };
        let cluster = Cluster::join_or_start_with(folder, options).await?;
        Ok(Self { cluster, quick, keep })
    }

    /// How to connect to a database.
    pub fn options(&self, name: &str) -> PgConnectOptions {
        self.cluster.options_for(name).statement_cache_capacity(256)
    }

    /// Where a database is, for other processes.
    pub fn url(&self, name: &str) -> String {
        self.cluster.url_for(name)
    }

    /// A pool as the server has it.
    pub fn pool(&self, name: &str) -> PgPool {
        self.pool_of(self.options(name), POOL_SIZE)
    }

    /// A pool of another size or with other options.
    pub fn pool_of(&self, options: PgConnectOptions, size: u32) -> PgPool {
        PgPoolOptions::new().max_connections(size).test_before_acquire(false).connect_lazy_with(options)
    }

    /// Makes a database anew: empty and migrated, or a copy of another.
    pub async fn database(&self, name: &str, template: Option<&str>) -> anyhow::Result<()> {
        let from = template.unwrap_or("template0");
        self.maintain(&[
            &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            &format!("CREATE DATABASE {name} TEMPLATE {from}"),
        ])
        .await
        .with_context(|| format!("making the database {name}"))?;
        if template.is_none() {
            let pool = self.pool(name);
            database::migrate::run(&pool).await?;
            pool.close().await;
        }
        Ok(())
    }

    /// Drops databases, unless they are to be kept.
    pub async fn drop(&self, names: &[&str]) -> anyhow::Result<()> {
        if self.keep {
            return Ok(());
        }
        for name in names {
            self.maintain(&[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")]).await?;
        }
        Ok(())
    }

    /// Writes out what is dirty, so that one contender does not pay for another's.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.maintain(&["CHECKPOINT"]).await
    }

    async fn maintain(&self, statements: &[&str]) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect_with(&self.options("postgres")).await?;
        for statement in statements {
            connection.execute(*statement).await?;
        }
        Ok(connection.close().await?)
    }

    /// Asks one thing of the server.
    pub async fn setting(&self, name: &str) -> anyhow::Result<String> {
        let mut connection = PgConnection::connect_with(&self.options("postgres")).await?;
        Ok(sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut connection).await?)
    }

    /// Stops the cluster.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.cluster.release().await?)
    }
}
