//! The real server as a process of its own, and what talks to it.

use crate::ground::Ground;
use anyhow::{Context, ensure};
use bytes::Bytes;
use faults::server::{Program, Server, Started};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// A running server of this build. Dropping it kills it.
pub struct Site {
    server: Box<Server>,
    _program: Program,
}

impl Site {
    /// Starts it on a database and waits until it is ready.
    pub async fn open(ground: &Ground, database: &str) -> anyhow::Result<Self> {
        let program = Program::find()?;
        match program.serve(&ground.url(database), None).await? {
            Started::Ready(server) => Ok(Self { server, _program: program }),
            Started::Died(status) => anyhow::bail!("the server ended at once: {status}"),
        }
    }

    /// Its process.
    pub fn process(&self) -> anyhow::Result<u32> {
        self.server.process().context("the server is gone")
    }

    /// The bytes of memory that it has now.
    pub fn memory(&self) -> anyhow::Result<u64> {
        memory(self.process()?, "VmRSS")
    }

    /// Opens a connection, as one client has it.
    pub async fn line(&self) -> anyhow::Result<Line> {
        let host = self.server.base().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Line { sender, host })
    }

    /// Waits until everything in the log is in the read models.
    pub async fn settle(&self, ground: &Ground, database: &str) -> anyhow::Result<()> {
        let pool = ground.pool_of(ground.options(database), 1);
        for _ in 0..600 {
            let behind: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM projection_checkpoints WHERE position < \
                 (SELECT coalesce(max(position), 0) FROM events))",
            )
            .fetch_one(&pool)
            .await?;
            if !behind {
                pool.close().await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the read models did not catch up within a minute")
    }
}

/// A line of `/proc/PID/status`, in bytes.
pub fn memory(process: u32, line: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let found = text.lines().find_map(|one| one.strip_prefix(line)).context("no such line")?;
    let kilobytes: u64 = found.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}

/// A connection to the server: one request after the other.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Line {
    /// Sends a request of somebody, with a body of JSON or without one, and gives the answer's body. Anything
    /// but a success is an error.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        cookie: &str,
        body: Option<String>,
    ) -> anyhow::Result<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::COOKIE, cookie);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(
            status.is_success() && status.as_u16() != 202,
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}
