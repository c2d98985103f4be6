//! Peers that others made, as processes. Where they are not installed their tests are passed over.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub struct Peer {
    _child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
    let folder = target.join("peers");
    folder.join("installed").exists().then(|| folder.join("bin/python"))
}

impl Peer {
    /// Starts one, or says that it is not there.
    pub fn start(what: &str) -> Option<Self> {
        let Some(python) = python() else {
            println!("NOT TESTED: scripts/peers.sh has not installed the peers");
            assert!(std::env::var("CI").is_err(), "in CI they have to be there");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/peers.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // They say at length why nobody trusts them, which is what is tested.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { _child: child, input, lines: BufReader::new(output).lines() })
    }

    /// What it tells next.
    pub async fn tells(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(60), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("it tells something").unwrap().expect("it runs")).unwrap()
    }

    /// Whether it tells nothing for a moment.
    pub async fn is_silent(&mut self) -> bool {
        tokio::time::timeout(Duration::from_millis(300), self.lines.next_line()).await.is_err()
    }

    pub async fn hears(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }
}
