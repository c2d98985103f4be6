//! PostgreSQL without set-up: a private cluster in the data folder, or the server that `DATABASE_URL`
//! names; migrations; and one cheap database per test.
//!
//! [`connect`] is where a program starts: [`connect::Source`] says which server to use and
//! [`connect::Database::open`] ends with a checked, migrated pool. [`cluster`] holds the private
//! cluster, [`backup`] copies of a database, [`migrate`] the embedded migrations, [`testing`] the support for tests of every crate.

pub mod backup;
pub mod cluster;
pub mod connect;
pub mod lanes;
pub mod migrate;
pub mod snapshot;
pub mod statistics;
pub mod testing;

pub use backup::{BackupError, Copied};
pub use cluster::{Cluster, ClusterError, ClusterOptions, Durability, ServeLock, ServeLockError};
pub use connect::{ConnectError, Database, Source};
pub use lanes::Lanes;
pub use migrate::{MIGRATOR, MigrationError};
pub use snapshot::snapshot;
