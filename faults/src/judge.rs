//! What must hold at the very end, when everybody is done.

use crate::checks::{self, Acknowledged, Others};
use crate::generator::NONSENSE;
use crate::load::Client;
use crate::report::Report;
use crate::server::Program;
use anyhow::ensure;
use projections::engine::Projections;
use sqlx::PgPool;

/// Everything that must hold once the clients, and whoever wrote beside the server, are done and the read
/// models have caught up.
///
/// # Errors
/// When something cannot be looked at.
pub async fn judge(
    program: &Program,
    (pool, url): (&PgPool, &str),
    models: &Projections,
    (people, beside): (Vec<Client>, Vec<Acknowledged>),
    others: &Others,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut acknowledged = beside;
    for client in people {
        report.complaints.extend(checks::belongings(&client.person, &client.name, &client.model).await?);
        report.repeated += client.repeated;
        report.in_place += usize::try_from(client.model.account.accepted)?;
        for one in &client.answered {
            if one.kind == NONSENSE && one.is_accepted() {
                report.complaints.push(format!("nonsense was accepted: {one:?}"));
            }
        }
        acknowledged.extend(client.answered);
    }
    for one in &acknowledged {
        let (accepted, refused) = report.kinds.entry(one.kind).or_default();
        *(if one.is_accepted() { accepted } else { refused }) += 1;
    }
    let verdict = checks::log(pool, &acknowledged, others).await?;
    report.acknowledged = acknowledged.iter().filter(|one| one.is_accepted()).count();
    report.refused = acknowledged.len() - report.acknowledged;
    report.lost = verdict.lost;
    report.doubled = verdict.doubled;
    report.complaints.extend(verdict.complaints);
    report.complaints.extend(rebuilt_the_same(program, (pool, url), models).await?);
    Ok(())
}

/// Verifies, rebuilds everything by the command line beside whatever server there is, compares every table
/// before and after, and verifies again.
async fn rebuilt_the_same(
    program: &Program,
    (pool, url): (&PgPool, &str),
    models: &Projections,
) -> anyhow::Result<Vec<String>> {
    let mut complaints = checks::verify(models).await?;
    let before = checks::dumps(pool, models).await?;
    let output = program.run(url, &["rebuild"], None).await?;
    ensure!(output.status.success(), "rebuild: {}", String::from_utf8_lossy(&output.stderr));
    let after = checks::dumps(pool, models).await?;
    complaints.extend(checks::compare(&before, &after));
    complaints.extend(checks::leftovers(pool).await?);
    let output = program.run(url, &["verify"], None).await?;
    if !output.status.success() {
        complaints.push(format!("verify: {}", String::from_utf8_lossy(&output.stdout)));
    }
    Ok(complaints)
}
