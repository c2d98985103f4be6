//! A provider that says whatever a test has it say. It is honest unless told otherwise: it checks PKCE and the
//! client's secret, and signs with a key that it publishes.

use std::sync::{Arc, Mutex};

use axum::{
    Form, Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use openidconnect::{
    JsonWebKeyId, PrivateSigningKey,
    core::{CoreEdDsaPrivateSigningKey, CoreJwsSigningAlgorithm},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

use super::{SECRET, asked, start};
use crate::support::{Answer, TestClient};

/// The code that it takes, once.
pub const CODE: &str = "the-code";

/// What it says otherwise than an honest provider.
#[derive(Clone)]
pub struct Lie {
    /// These claims of the ID token; null leaves one out.
    pub claims: Value,
    /// The `alg` of the ID token's header.
    pub alg: &'static str,
    /// Whether it signs with a key that it does not publish.
    pub foreign_key: bool,
    /// Whether it gives no ID token.
    pub no_id_token: bool,
    /// What its userinfo says.
    pub user_info: Value,
    /// What its configuration says instead of its issuer.
    pub issuer: Option<&'static str>,
    /// How many bytes of nothing it puts before the answer.
    pub padding: usize,
}

impl Default for Lie {
    fn default() -> Self {
        Self {
            claims: json!({}),
            alg: "EdDSA",
            foreign_key: false,
            no_id_token: false,
            user_info: json!({}),
            issuer: None,
            padding: 0,
        }
    }
}

#[derive(Default)]
struct Told {
    lie: Lie,
    nonce: String,
    challenge: String,
    code: Option<&'static str>,
}

#[derive(Clone)]
struct Shared {
    issuer: String,
    key: Arc<CoreEdDsaPrivateSigningKey>,
    other_key: Arc<CoreEdDsaPrivateSigningKey>,
    told: Arc<Mutex<Told>>,
}

pub struct StandIn {
    pub issuer: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A key of 32 chosen bytes, in the shape in which keys are read.
fn key(bytes: [u8; 32]) -> CoreEdDsaPrivateSigningKey {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(bytes);
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64_STANDARD.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new("one".to_owned()))).unwrap()
}

impl StandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            issuer: issuer.clone(),
            key: Arc::new(key([7; 32])),
            other_key: Arc::new(key([8; 32])),
            told: Arc::default(),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { issuer, shared, server }
    }

    pub fn lies(&self, lie: Lie) {
        self.shared.told.lock().unwrap().lie = lie;
    }

    /// Begins to sign in, and has the provider expect whoever comes back. Gives the state.
    pub async fn expects(&self, client: &TestClient) -> String {
        let url = start(client, "generic").await;
        assert!(url.as_str().starts_with(&format!("{}/authorize?", self.issuer)), "{url}");
        assert_eq!(asked(&url, "response_type"), "code");
        assert_eq!(asked(&url, "code_challenge_method"), "S256");
        assert_eq!(asked(&url, "client_id"), "ledger-generic");
        assert!(asked(&url, "scope").split(' ').any(|scope| scope == "openid"), "{url}");
        let mut told = self.shared.told.lock().unwrap();
        told.nonce = asked(&url, "nonce");
        told.challenge = asked(&url, "code_challenge");
        told.code = Some(CODE);
        asked(&url, "state")
    }

    /// Begins to sign in and comes back.
    pub async fn signs_in(&self, client: &TestClient) -> Answer {
        let state = self.expects(client).await;
        client.get(&back(&state, CODE)).await
    }
}

/// Where somebody comes back to.
pub fn back(state: &str, code: &str) -> String {
    format!("/api/auth/oidc/generic/callback?state={state}&code={code}&session_state=of-no-interest")
}

async fn configuration(State(it): State<Shared>) -> Json<Value> {
    let at = |place: &str| format!("{}/{place}", it.issuer);
    let lie = it.told.lock().unwrap().lie.clone();
    Json(json!({
        "issuer": lie.issuer.unwrap_or(&it.issuer),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"),
        "jwks_uri": at("jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // It offers what nobody should take it up on.
        "id_token_signing_alg_values_supported": ["EdDSA", "none", "HS256"],
    }))
}

async fn keys(State(it): State<Shared>) -> Json<Value> {
    Json(json!({"keys": [it.key.as_verification_key()]}))
}

async fn user_info(State(it): State<Shared>) -> Json<Value> {
    Json(it.told.lock().unwrap().lie.user_info.clone())
}

async fn token(
    State(it): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<Map<String, Value>>,
) -> Response {
    let mut told = it.told.lock().unwrap();
    let encoded: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("ledger-generic:{encoded}")));
    let honest_client = headers["authorization"] == basic;
    let verifier = form["code_verifier"].as_str().unwrap();
    let proven = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == told.challenge;
    let known = told.code.take().is_some_and(|code| form["code"] == code);
    if !(honest_client && proven && known) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    let lie = told.lie.clone();
    let mut answer = json!({"access_token": "opens nothing", "token_type": "Bearer"});
    if !lie.no_id_token {
        answer["id_token"] = it.id_token(&lie, &told.nonce).into();
    }
    let text = format!("{}{answer}", " ".repeat(lie.padding));
    ([("content-type", "application/json")], text).into_response()
}

impl Shared {
    fn id_token(&self, lie: &Lie, nonce: &str) -> String {
        let now = chrono::Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": "ledger-generic",
            "sub": "miku",
            "iat": now,
            "exp": now + 600,
            "nonce": nonce,
            "email": "miku@provider.example",
            "email_verified": true,
            "preferred_username": "miku",
        });
        for (name, value) in lie.claims.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": lie.alg, "kid": "one"})), part(&claims));
        let signature = match lie.alg {
            "none" => Vec::new(),
            // The secret that both know, as if it were a key.
            "HS256" => hmac(SECRET.as_bytes(), signed.as_bytes()),
            _ => {
                let key = if lie.foreign_key { &self.other_key } else { &self.key };
                key.sign(&CoreJwsSigningAlgorithm::EdDsa, signed.as_bytes()).unwrap()
            }
        };
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
