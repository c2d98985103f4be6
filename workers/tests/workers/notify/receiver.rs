//! A server that takes what channels send, keeps it, and answers as its path says.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Debug, Clone)]
pub struct Got {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Got {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Shared {
    got: Arc<Mutex<Vec<Got>>>,
    endless: Arc<AtomicUsize>,
}

pub struct Receiver {
    pub address: SocketAddr,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    pub async fn new() -> Self {
        let shared = Shared { got: Arc::default(), endless: Arc::default() };
        let service = Router::new().fallback(answer).with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { address, shared, server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// How many chunks of an endless answer were asked for.
    pub fn endless(&self) -> usize {
        self.shared.endless.load(Ordering::Relaxed)
    }
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let before = {
        let mut got = shared.got.lock().unwrap();
        let before = got.iter().filter(|one| one.path == path).count();
        got.push(Got { method, path: path.clone(), headers, body });
        before
    };
    match path.as_str() {
        "/hangs" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::OK.into_response()
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            StatusCode::OK.into_response()
        }
        "/fails-once" if before == 0 => (StatusCode::SERVICE_UNAVAILABLE, "not\nnow").into_response(),
        "/fails" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/busy" => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "120")]).into_response(),
        "/gone" => StatusCode::GONE.into_response(),
        "/refuses" => (StatusCode::FORBIDDEN, "not\u{7} you <b>").into_response(),
        "/kept" => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/arrived")]).into_response(),
        "/turned" => (StatusCode::FOUND, [(header::LOCATION, "/arrived")]).into_response(),
        "/elsewhere" => {
            let to = "http://127.0.0.1:1/private";
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
        "/endless" => {
            let endless = shared.endless.clone();
            let chunks = stream::unfold(endless, async |endless| {
                tokio::time::sleep(Duration::from_millis(50)).await;
                endless.fetch_add(1, Ordering::Relaxed);
                Some((Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 64])), endless))
            });
            Response::new(Body::from_stream(chunks))
        }
        _ => StatusCode::OK.into_response(),
    }
}
