//! The network between a server and PostgreSQL: passes bytes on, unless told to do something worse.

use anyhow::Context;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a server's own process number begins, in what PostgreSQL says at the start of a connection.
const KEY_DATA: [u8; 5] = [b'K', 0, 0, 0, 12];
const COMMIT: &[u8] = b"COMMIT";

/// What a connection does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes them on.
    Pass,
    /// Passes them on after a while.
    Slow(Duration),
    /// Takes none and gives none, without a word: a network that drops everything. A new connection comes about and
    /// stays so for good.
    Silent,
    /// The same for good, and PostgreSQL has noticed by itself: its end is closed.
    Lost,
    /// Ends. As the mode of new connections: none comes about.
    Cut,
}

/// Where a commit is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// PostgreSQL never hears of it.
    BeforeCommit,
    /// PostgreSQL commits, and nobody hears of that.
    BeforeAnswer,
}

struct Link {
    mode: watch::Sender<Mode>,
    /// The process that serves it, once it is known.
    backend: Option<i32>,
}

#[derive(Default)]
struct Links {
    all: HashMap<u64, Link>,
    next: u64,
}

struct Inner {
    socket: PathBuf,
    /// What new connections do.
    mode: watch::Sender<Mode>,
    links: Mutex<Links>,
    /// How many new ones were swallowed.
    swallowed: AtomicU64,
    /// So many commits are still to be cut off, and so many were.
    to_cut: AtomicU32,
    cut: AtomicU64,
    at: Mutex<At>,
}

impl Inner {
    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the commit that is on its way is one to cut off, and where.
    fn cuts(&self) -> Option<At> {
        let left = self.to_cut.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.ok()?;
        self.cut.fetch_add(1, Ordering::Relaxed);
        Some(*self.at.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Listens on a port of this machine and leads to a socket of PostgreSQL.
pub struct Proxy {
    port: u16,
    inner: Arc<Inner>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Begins to listen. `socket` is PostgreSQL's, which may come and go.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(socket: PathBuf) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the proxy")?;
        let port = listener.local_addr()?.port();
        let inner = Arc::new(Inner {
            socket,
            mode: watch::Sender::new(Mode::Pass),
            links: Mutex::default(),
            swallowed: AtomicU64::new(0),
            to_cut: AtomicU32::new(0),
            cut: AtomicU64::new(0),
            at: Mutex::new(At::BeforeAnswer),
        });
        let listening = tokio::spawn(listen(listener, inner.clone()));
        Ok(Self { port, inner, listening })
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on every connection does this, those that come as well.
    pub fn set(&self, mode: Mode) {
        self.inner.mode.send_replace(mode);
        self.set_existing(mode);
    }

    /// Connections that come do this; those that there are go on as they did.
    pub fn set_new(&self, mode: Mode) {
        self.inner.mode.send_replace(mode);
    }

    /// The connections that there are do this; new ones go on as they did.
    pub fn set_existing(&self, mode: Mode) {
        for link in self.inner.links().all.values() {
            link.mode.send_replace(mode);
        }
    }

    /// Cuts off the next commits, so many of them.
    pub fn cut_commits(&self, at: At, next: u32) {
        *self.inner.at.lock().unwrap_or_else(PoisonError::into_inner) = at;
        self.inner.to_cut.store(next, Ordering::Relaxed);
    }

    /// How many commits were cut off so far.
    #[must_use]
    pub fn commits_cut(&self) -> u64 {
        self.inner.cut.load(Ordering::Relaxed)
    }

    /// How many connections came while everything was swallowed.
    #[must_use]
    pub fn swallowed(&self) -> u64 {
        self.inner.swallowed.load(Ordering::Relaxed)
    }

    /// The processes of PostgreSQL at the other end.
    #[must_use]
    pub fn backends(&self) -> Vec<i32> {
        self.inner.links().all.values().filter_map(|link| link.backend).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.set_existing(Mode::Cut);
    }
}

async fn listen(listener: TcpListener, inner: Arc<Inner>) {
    while let Ok((client, _)) = listener.accept().await {
        let mode = *inner.mode.borrow();
        if mode == Mode::Cut {
            continue;
        }
        let (sender, receiver) = watch::channel(mode);
        let id = {
            let mut links = inner.links();
            links.next += 1;
            let id = links.next;
            links.all.insert(id, Link { mode: sender, backend: None });
            id
        };
        let inner = inner.clone();
        tokio::spawn(async move {
            // Ends with an error when one side is gone, which is how connections end here.
            let _ = carry(client, &inner, id, receiver).await;
            inner.links().all.remove(&id);
        });
    }
}

async fn carry(
    mut client: TcpStream,
    inner: &Inner,
    id: u64,
    mut mode: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    if matches!(*mode.borrow(), Mode::Silent | Mode::Lost) {
        inner.swallowed.fetch_add(1, Ordering::Relaxed);
        return hold(client, mode).await;
    }
    let mut server = UnixStream::connect(&inner.socket).await?;
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut greeted = false;
    let mut swallow = false;
    loop {
        let now = *mode.borrow_and_update();
        if now == Mode::Cut {
            return Ok(());
        }
        if now == Mode::Lost {
            drop(server);
            return hold(client, mode).await;
        }
        let open = now != Mode::Silent;
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return Ok(()) },
            read = client.read(&mut up), if open => {
                let bytes = up.get(..read?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
                if bytes.windows(COMMIT.len()).any(|part| part == COMMIT) {
                    match inner.cuts() {
                        Some(At::BeforeCommit) => return Ok(()),
                        Some(At::BeforeAnswer) => swallow = true,
                        None => {}
                    }
                }
                linger(now).await;
                server.write_all(bytes).await?;
            }
            read = server.read(&mut down), if open => {
                let bytes = down.get(..read?).unwrap_or_default();
                if bytes.is_empty() || swallow {
                    return Ok(());
                }
                if !greeted && let Some(backend) = backend(bytes) {
                    greeted = true;
                    if let Some(link) = inner.links().all.get_mut(&id) {
                        link.backend = Some(backend);
                    }
                }
                linger(now).await;
                client.write_all(bytes).await?;
            }
        }
    }
}

/// Swallows everything until it is cut off.
async fn hold(client: TcpStream, mut mode: watch::Receiver<Mode>) -> std::io::Result<()> {
    // An error when nobody is left who could cut it off.
    let _ = mode.wait_for(|now| *now == Mode::Cut).await;
    drop(client);
    Ok(())
}

async fn linger(mode: Mode) {
    if let Mode::Slow(time) = mode {
        tokio::time::sleep(time).await;
    }
}

/// Which process of PostgreSQL says this, if it says so.
fn backend(bytes: &[u8]) -> Option<i32> {
    let at = bytes.windows(KEY_DATA.len()).position(|part| part == KEY_DATA)? + KEY_DATA.len();
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_at_the_other_end_is_read_from_its_greeting() {
        let mut greeting = vec![b'R', 0, 0, 0, 8, 0, 0, 0, 0];
        greeting.extend([b'K', 0, 0, 0, 12, 0, 0, 1, 2, 9, 9, 9, 9, b'Z', 0, 0, 0, 5, b'I']);
        assert_eq!(backend(&greeting), Some(258));
        assert_eq!(backend(b"nothing of the kind"), None);
    }
}
