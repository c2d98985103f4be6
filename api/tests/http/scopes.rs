//! What API keys may do, route by route, from the OpenAPI document.

use std::{collections::BTreeSet, time::Duration};

use operational::api_keys::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestClient};

/// How long one answer may take: a stream that is not left out never ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// Routes for people only: single ones, and addresses with all that is below. Whoever adds one says that no script may ever do that.
const IN_PERSON: [&str; 16] = [
    "DELETE /api/me",
    "PATCH /api/me",
    "/api/me/api-keys",
    "/api/me/sessions",
    "/api/me/identities",
    "/api/me/events",
    // What could open any account.
    "/api/admin/users/{user}/password-reset",
    "PATCH /api/admin/users/{user}",
    "PUT /api/admin/notifications/channels/{channel}",
    "POST /api/admin/notifications/vapid",
    // What shows something to others, and where one is told of things.
    "/api/me/wishlist/share",
    "/api/me/locations/{id}/share",
    "/api/me/calendar",
    "/api/me/web-push",
    "/api/me/notifications/routing",
    "/api/me/notifications/channels",
];

fn is_for_people(operation: &Operation) -> bool {
    let below = |place: &str| {
        operation.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    IN_PERSON.contains(&operation.name.as_str())
        || IN_PERSON.iter().any(|place| place.starts_with('/') && below(place))
}

/// One route of the document.
struct Operation {
    method: Method,
    path: String,
    name: String,
    needs_somebody: bool,
    /// None where no key may call it.
    scopes: Option<Vec<String>>,
}

async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = app.visitor().get("/api/openapi.json").await.ok();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let security = operation.get("security").and_then(Value::as_array);
            let scopes = security.into_iter().flatten().find_map(|one| one.get("api_key")).map(|scopes| {
                scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
            });
            all.push(Operation {
                name: format!("{method} {path}"),
                method,
                path: path.clone(),
                needs_somebody: security.is_some(),
                scopes,
            });
        }
    }
    assert!(all.len() >= 90, "{}", all.len());
    all
}

/// The address of a route, with something in each of its places that is no one's.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for place in path.split('/').skip(1) {
        filled.push('/');
        filled.push_str(if place.starts_with('{') { "00000000-0000-4000-8000-000000000000" } else { place });
    }
    filled
}

async fn key(client: &TestClient, scopes: &[&str]) -> String {
    let made = client.post("/api/me/api-keys", json!({"name": "test", "scopes": scopes})).await.made();
    made["key"].as_str().unwrap().to_owned()
}

async fn call(app: &TestApp, method: &Method, path: &str, key: &str) -> Answer {
    let body = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    let anybody = app.visitor();
    let answer = anybody.send(method.clone(), path, |request| {
        let request = request.bearer_auth(key);
        if body { request.json(&json!({})) } else { request }
    });
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.unwrap_or_else(|_late| panic!("{method} {path} does not end"))
}

#[tokio::test]
async fn every_route_declares_the_scope_it_needs() {
    let app = TestApp::new().await;
    for operation in operations(&app).await.iter().filter(|operation| operation.needs_somebody) {
        let for_people = is_for_people(operation);
        match &operation.scopes {
            Some(scopes) => {
                assert!(!for_people, "{} is for people only", operation.name);
                assert!(!scopes.is_empty(), "{} asks a key for nothing", operation.name);
                for scope in scopes {
                    assert!(scope.parse::<Scope>().is_ok(), "{}: there is no scope {scope}", operation.name);
                }
                assert_eq!(
                    operation.path.starts_with("/api/admin") || operation.path == "/metrics",
                    scopes.iter().any(|scope| scope == "admin:*"),
                    "{}",
                    operation.name
                );
                if operation.method == Method::GET {
                    assert!(scopes.iter().all(|scope| scope.ends_with(":read") || scope == "admin:*"));
                }
            }
            None => assert!(
                for_people,
                "{} is in no rule of api/src/guard/scopes.rs; no key may call it",
                operation.name
            ),
        }
    }
}

#[tokio::test]
async fn a_key_without_the_scope_is_refused_on_every_route() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    for operation in operations(&app).await.iter().filter(|operation| operation.needs_somebody) {
        let needed = operation.scopes.clone().unwrap_or_default();
        let rest: Vec<&str> = Scope::ALL
            .iter()
            .map(|scope| scope.as_str())
            .filter(|scope| !needed.iter().any(|n| n == scope))
            .collect();
        let key = key(&root, &rest).await;
        let refused = call(&app, &operation.method, &filled(&operation.path), &key).await;
        match needed.first() {
            Some(scope) => {
                let body = refused.refused(403, "scope_missing");
                assert_eq!(body["scope"], *scope, "{}", operation.name);
            }
            None => {
                refused.refused(403, "key_not_allowed");
            }
        }
        sqlx::query("DELETE FROM api_keys").execute(&app.db.pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_with_the_scope_gets_as_far_as_its_owner() {
    let app = TestApp::new().await;
    let root = app.register_admin("root").await;
    let everything: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    let key = key(&root, &everything).await;
    let mut reached = BTreeSet::new();
    for operation in operations(&app).await {
        // A stream never ends, and pausing or rebuilding every read model is nothing to do by the way.
        let left_out = ["/events", "/pause", "/rebuild", "/skip", "/live"];
        if operation.scopes.is_none() || left_out.iter().any(|end| operation.path.ends_with(end)) {
            continue;
        }
        let answer = call(&app, &operation.method, &filled(&operation.path), &key).await;
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        for refusal in ["scope_missing", "key_not_allowed", "not_signed_in", "invalid_api_key", "admin_only"]
        {
            assert_ne!(code, refusal, "{}: {}", operation.name, answer.text);
        }
        reached.insert(operation.name);
    }
    assert!(reached.len() >= 70, "{}", reached.len());
}

#[tokio::test]
async fn without_a_key_or_session_every_such_route_is_closed() {
    let app = TestApp::new().await;
    for operation in operations(&app).await.iter().filter(|operation| operation.needs_somebody) {
        let path = filled(&operation.path);
        let anybody = app.visitor().send(operation.method.clone(), &path, |request| request).await;
        anybody.refused(401, "not_signed_in");
        let made_up =
            call(&app, &operation.method, &path, "fl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await;
        assert!(made_up.header("www-authenticate").contains("invalid_token"), "{}", operation.name);
        made_up.refused(401, "invalid_api_key");
    }
}
