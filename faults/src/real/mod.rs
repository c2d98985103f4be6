//! Real processes under real faults: three servers, one PostgreSQL, clients that do not give up.
//!
//! | file | responsibility |
//! |---|---|
//! | `ground.rs` | a PostgreSQL that can be killed, filled up, starved and lied to |
//! | `proxy.rs` | the network between a server and PostgreSQL |
//! | `stage.rs` | the servers, everybody who keeps them busy, and what must hold after each fault |

pub mod ground;
pub mod proxy;
pub mod stage;

use crate::faults::Fault;
use crate::judge::judge;
use crate::report::Report;
use crate::server::Program;
use anyhow::Context;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use stage::Stage;
use std::time::{Duration, Instant};

/// How much everybody does before the first fault, and between two.
const IN_PEACE: u64 = 60;
/// How long one fault may take, with everything around it.
const FAULT_WITHIN: Duration = Duration::from_secs(300);

/// Tries each of some faults once, in an order that the seed decides, on one fresh database. Stops early once
/// `until` has passed, or when something is wrong.
///
/// # Errors
/// What kept it from being carried out; what was found wrong is in the report.
pub async fn round(
    program: &Program,
    seed: u64,
    mut faults: Vec<Box<dyn Fault>>,
    until: Option<Instant>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut rng = StdRng::seed_from_u64(seed);
    faults.shuffle(&mut rng);
    let mut stage = Stage::new(program, seed).await.context("the stage")?;
    stage.load(IN_PEACE, FAULT_WITHIN).await?;
    for fault in faults {
        let mut own = StdRng::seed_from_u64(rand::Rng::random(&mut rng));
        if until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        if let Some(reason) = fault.hindrance(&stage) {
            println!("{}: SKIPPED, {reason}", fault.name());
            report.skipped.insert(fault.name());
            continue;
        }
        let begun = Instant::now();
        let before = stage.tally.told().len();
        let name = fault.name();
        tokio::time::timeout(FAULT_WITHIN, async {
            fault.strike(&mut stage, &mut own).await?;
            stage.settle().await?;
            stage.load(IN_PEACE, FAULT_WITHIN).await
        })
        .await
        .with_context(|| format!("{name}: no end"))?
        .with_context(|| name)?;
        let writes = stage.tally.told().len().saturating_sub(before);
        println!(
            "{name}: {} ({} ms, {writes} writes answered, {} requests witnessed)",
            fault.tries(),
            begun.elapsed().as_millis(),
            stage.witnessed()
        );
        report.tried += 1;
        *report.struck.entry(name).or_default() += 1;
        if !stage.complaints.is_empty() {
            report.complaints.extend(stage.complaints.drain(..).map(|one| format!("after {name}: {one}")));
            break;
        }
    }
    let (people, beside, others) = stage.end().await?;
    crate::checks::caught_up(&stage.ground.pool).await?;
    let mut this = Report { told: stage.notified().await?, ..Report::default() };
    report.complaints.append(&mut stage.complaints);
    let url = stage.ground.url();
    judge(program, (&stage.ground.pool, &url), stage.models(), (people, beside), &others, &mut this).await?;
    report.add(this);
    Ok(())
}
