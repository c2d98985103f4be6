//! What goes wrong: one file per fault, all of the same shape. To add one, write a file with a [`Fault`] and
//! name it in [`all`].

mod backend_killed;
mod backends_ended;
mod both_killed;
mod clock_jumps;
mod commit_unanswered;
mod disk_full;
mod impatient_clients;
mod leader_frozen;
mod leader_killed;
mod network_cut;
mod network_silent;
mod network_slow;
mod network_swallows;
mod no_connections;
mod own_postgres_killed;
mod postmaster_killed;
mod read_only;
mod rolled_out;
mod server_killed;

use crate::real::stage::Stage;
use async_trait::async_trait;
use rand::rngs::StdRng;

/// Something that goes wrong while everybody works.
#[async_trait(?Send)]
pub trait Fault {
    /// Its name, to ask for it.
    fn name(&self) -> &'static str;

    /// What is tried, in a sentence.
    fn tries(&self) -> &'static str;

    /// Whether it is left to the suite at full size: it needs a program that nothing else builds.
    fn is_for_full_size(&self) -> bool {
        false
    }

    /// Why it cannot be tried here, if so.
    fn hindrance(&self, stage: &Stage<'_>) -> Option<String> {
        let _ = stage;
        None
    }

    /// Lets it happen, and lets it end. Servers that it killed are started again; everything else has to come
    /// right by itself afterwards, which is then looked at.
    async fn strike(&self, stage: &mut Stage<'_>, rng: &mut StdRng) -> anyhow::Result<()>;
}

/// Every fault.
#[must_use]
pub fn all() -> Vec<Box<dyn Fault>> {
    vec![
        Box::new(server_killed::ServerKilled),
        Box::new(leader_killed::LeaderKilled),
        Box::new(leader_frozen::LeaderFrozen),
        Box::new(postmaster_killed::PostmasterKilled),
        Box::new(backend_killed::BackendKilled),
        Box::new(backends_ended::BackendsEnded),
        Box::new(both_killed::BothKilled),
        Box::new(own_postgres_killed::OwnPostgresKilled),
        Box::new(commit_unanswered::CommitUnanswered),
        Box::new(network_cut::NetworkCut),
        Box::new(network_silent::NetworkSilent),
        Box::new(network_swallows::NetworkSwallows),
        Box::new(network_slow::NetworkSlow),
        Box::new(no_connections::NoConnections),
        Box::new(read_only::ReadOnly),
        Box::new(disk_full::DiskFull),
        Box::new(clock_jumps::ClockJumps),
        Box::new(impatient_clients::ImpatientClients),
        Box::new(rolled_out::RolledOut),
    ]
}
