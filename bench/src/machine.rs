//! The machine's facts, without which a number means nothing.

use crate::ground::Ground;

/// What a short run says of itself.
pub const QUICK: &str = "quick: fewer rounds and smaller logs";

/// What was built, as git names it.
async fn commit() -> String {
    let git = tokio::process::Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty=, with changes"])
        .output();
    match git.await {
        Ok(said) if said.status.success() => String::from_utf8_lossy(&said.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// What runs the benchmark.
pub async fn facts(ground: &Ground) -> anyhow::Result<Vec<(String, String)>> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, head: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(head));
        found.map_or("unknown".to_owned(), |rest| rest.trim_start_matches([':', '\t', ' ']).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut facts = vec![
        ("processor".to_owned(), format!("{}, {cores} cores", line(&read("/proc/cpuinfo"), "model name"))),
        ("memory".to_owned(), line(&read("/proc/meminfo"), "MemTotal")),
        ("kernel".to_owned(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
    ];
    let version = ground.setting("server_version").await?;
    let mut settings = Vec::new();
    for name in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size"] {
        settings.push(format!("{name} {}", ground.setting(name).await?));
    }
    facts.push(("PostgreSQL".to_owned(), format!("{version}, private; {}", settings.join(", "))));
    facts.push(("commit".to_owned(), commit().await));
    let run = if ground.quick { QUICK } else { "whole" };
    facts.push(("run".to_owned(), run.to_owned()));
    facts.push((
        "load before the run".to_owned(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    ));
    facts.push(("date".to_owned(), chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string()));
    Ok(facts)
}
