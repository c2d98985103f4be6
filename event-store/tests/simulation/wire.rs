//! Between a process and PostgreSQL: counts what was asked and not answered, and holds the commits of the
//! appender and their answers.

use crate::board::{Board, Go, Place, Who};
use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

pub struct Wire {
    folder: PathBuf,
    pub handle: tokio::runtime::Handle,
    die: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Wire {
    /// Sockets for so many processes before this database.
    pub fn new(board: &Board, server: &PgConnectOptions, processes: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("fl-sim-{}", Uuid::now_v7().simple()));
        let name = format!(".s.PGSQL.{}", server.get_port());
        let socket = server.get_socket().unwrap().join(&name);
        // One thread, so that a task that yields has let the others see what arrived.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (die, death) = oneshot::channel();
        for process in 0..processes {
            let own = folder.join(process.to_string());
            std::fs::create_dir_all(&own).unwrap();
            let _inside = runtime.enter();
            let listener = UnixListener::bind(own.join(&name)).unwrap();
            let (board, socket) = (board.clone(), socket.clone());
            runtime.spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    board.moved();
                    let server = UnixStream::connect(&socket).await.unwrap();
                    carry(client, server, board.clone(), process);
                }
            });
        }
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(death);
            runtime.shutdown_background();
        });
        Self { folder, handle, die: Some(die), thread: Some(thread) }
    }

    pub fn folder(&self, process: usize) -> PathBuf {
        self.folder.join(process.to_string())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.die.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// One connection through the wire.
struct Line {
    id: u64,
    process: usize,
    board: Board,
    backend: AtomicI32,
    is_appender: AtomicBool,
    /// The answer to a commit is on its way.
    committing: AtomicBool,
    /// The client hears nothing any more.
    deaf: AtomicBool,
    to_client: Mutex<Option<OwnedWriteHalf>>,
}

fn carry(client: UnixStream, server: UnixStream, board: Board, process: usize) {
    let id = CONNECTIONS.fetch_add(1, Ordering::SeqCst);
    board.connected(id);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let line = Arc::new(Line {
        id,
        process,
        board,
        backend: AtomicI32::new(0),
        is_appender: AtomicBool::new(false),
        committing: AtomicBool::new(false),
        deaf: AtomicBool::new(false),
        to_client: Mutex::new(Some(to_client)),
    });
    let up = tokio::spawn(up(from_client, to_server, line.clone()));
    tokio::spawn(async move {
        down(from_server, &line).await;
        line.to_client.lock().await.take();
        up.abort();
        let _ = up.await;
        let backend = line.backend.load(Ordering::SeqCst);
        line.board.disconnected(line.id, (backend != 0).then_some(backend));
    });
}

impl Line {
    async fn park(&self, point: &'static str) -> Go {
        self.board.park(Place { process: self.process, who: Who::Wire, point }).await
    }

    /// Nothing more comes from the client. Until the backend has noticed, it may hold locks.
    async fn hang_up(&self, mut to: OwnedWriteHalf) {
        let backend = self.backend.load(Ordering::SeqCst);
        self.board.leaves((backend != 0).then_some(backend));
        let _ = to.shutdown().await;
    }
}

async fn message(from: &mut OwnedReadHalf, startup: bool) -> Option<Vec<u8>> {
    let head = if startup { 4 } else { 5 };
    let mut bytes = vec![0; head];
    from.read_exact(&mut bytes).await.ok()?;
    let length = u32::from_be_bytes(bytes[head - 4..].try_into().unwrap()) as usize;
    let mut rest = vec![0; length - 4];
    from.read_exact(&mut rest).await.ok()?;
    bytes.extend(rest);
    Some(bytes)
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: Arc<Line>) {
    let mut startup = true;
    while let Some(bytes) = message(&mut from, startup).await {
        if startup && bytes.windows(22).any(|w| w == b"figure-ledger appender") {
            line.is_appender.store(true, Ordering::SeqCst);
        }
        let commits =
            line.is_appender.load(Ordering::SeqCst) && bytes[0] == b'Q' && bytes.ends_with(b"COMMIT\0");
        if commits && line.park("wire.commit").await == Go::Cut {
            // The client is told nothing; whether the server ever gets the message is another question.
            line.deaf.store(true, Ordering::SeqCst);
            line.to_client.lock().await.take();
            drop(from);
            if line.park("wire.orphan").await == Go::On {
                line.board.asked(line.id);
                let _ = to.write_all(&bytes).await;
            }
            line.hang_up(to).await;
            return;
        }
        if startup || bytes[0] == b'Q' || bytes[0] == b'S' {
            line.board.asked(line.id);
        }
        line.committing.store(commits, Ordering::SeqCst);
        startup = false;
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    line.hang_up(to).await;
}

async fn down(mut from: OwnedReadHalf, line: &Line) {
    while let Some(bytes) = message(&mut from, false).await {
        if bytes[0] == b'K' {
            let backend = i32::from_be_bytes(bytes[5..9].try_into().unwrap());
            line.backend.store(backend, Ordering::SeqCst);
            if line.is_appender.load(Ordering::SeqCst) {
                line.board.is_appender(line.process, backend);
            }
        }
        let ready = bytes[0] == b'Z';
        if ready && line.committing.swap(false, Ordering::SeqCst) && !line.deaf.load(Ordering::SeqCst) {
            line.board.told(line.id);
            if line.park("wire.answer").await == Go::Cut {
                return;
            }
            line.board.asked(line.id);
        }
        // Written before it counts as told: who sees no unanswered request finds the answer delivered.
        if let Some(to) = &mut *line.to_client.lock().await {
            let _ = to.write_all(&bytes).await;
        }
        if ready {
            line.board.told(line.id);
        }
    }
}
