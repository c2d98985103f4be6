//! `/api/openapi.json`, and `/api/docs` to read it and try it on.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Bytes,
    http::{Method, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Redirect},
    routing::get,
};
use serde_json::{Map, Value, json};
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    guard::{
        scopes::{self, Access},
        security_headers::DOCS_POLICY,
    },
    identity,
    problem::{self, INVALID_API_KEY, KEY_NOT_ALLOWED, SCOPE_MISSING, TOO_MANY_REQUESTS},
    state::AppState,
};

/// Where the page is.
pub const PAGE: &str = "/api/docs";
/// Where the document is.
pub const DOCUMENT: &str = "/api/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Figure Ledger",
        description = "Keeps a figure collector's catalogue, collection, pre-orders, wishlist and money.\n\n\
            Amounts are decimal strings in their own currency. Times are UTC, in RFC 3339. Lists come in pages: \
            `limit` (1 to 200) and `cursor`. A refusal is `application/problem+json` with a stable `code`. \
            Writes answer with the resource as it now reads.\n\n\
            Sign in with `POST /api/auth/login`; the session cookie does the rest. Scripts send an API key as \
            `Authorization: Bearer`, made at `POST /api/me/api-keys`; each route says which scopes its key needs."
    ),
    tags(
        (name = "auth", description = "Signing up, in and out"),
        (name = "me", description = "The account of whoever is signed in"),
        (name = "collection", description = "What one owns and where it stands"),
        (name = "pre-orders", description = "What one has ordered before it was out"),
        (name = "activity", description = "What one did, and what it unlocked"),
        (name = "wishlist", description = "What one wants to own"),
        (name = "notifications", description = "What one was told"),
        (name = "people", description = "Other people, as far as they show themselves"),
        (name = "statistics", description = "What it is all worth, what it cost, and what it comes to"),
        (name = "catalogue", description = "Figures, and who makes, sculpts, inspires and sells them"),
        (name = "pictures", description = "Photos, scans and documents, and what stands on a card"),
        (name = "money", description = "Currencies, and what they are worth in euro"),
        (name = "figure types", description = "What kinds of figure there are"),
        (name = "manga", description = "What one reads, on MangaCollector servers, and where it meets the figures"),
        (name = "admin", description = "For those who run the instance"),
        (name = "health", description = "For supervisors and balancers")
    )
)]
struct Description;

/// The OpenAPI document without its routes: what the resources are merged into.
#[must_use]
pub fn description() -> utoipa::openapi::OpenApi {
    let mut document = Description::openapi();
    let components = document.components.get_or_insert_default();
    components.schemas.extend([problem::schema()]);
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(identity::COOKIE))),
    );
    components.add_security_scheme(
        "api_key",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("fl_…")
                .description(Some(
                    "An API key. What stands beside it in an operation are the scopes that it needs.",
                ))
                .build(),
        ),
    );
    document
}

/// Says of each operation which scopes a key needs there, and what a key may be refused with.
fn tell_scopes(document: &mut Value) -> anyhow::Result<()> {
    let with_scopes =
        serde_json::to_value(problem::documented(&[&[INVALID_API_KEY, SCOPE_MISSING, TOO_MANY_REQUESTS]]))?;
    let without = serde_json::to_value(problem::documented(&[&[INVALID_API_KEY, KEY_NOT_ALLOWED]]))?;
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut().filter(|it| it.contains_key("security")) else {
                continue;
            };
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())?;
            let refusals = match scopes::needed(&method, path) {
                Some(Access::Scopes(scopes)) => {
                    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
                    operation.insert("security".to_owned(), json!([{"session": []}, {"api_key": scopes}]));
                    &with_scopes
                }
                Some(Access::Public | Access::InPerson) | None => &without,
            };
            add_responses(operation, refusals);
        }
    }
    Ok(())
}

/// Adds responses to those of an operation; of one status, all codes are told.
fn add_responses(operation: &mut Map<String, Value>, more: &Value) {
    const CONTENT: &str = "/content/application~1problem+json/examples";
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in more.as_object().into_iter().flatten() {
        let Some(there) = responses.get_mut(status) else {
            responses.insert(status.clone(), response.clone());
            continue;
        };
        let added = response.pointer(CONTENT).and_then(Value::as_object).cloned().unwrap_or_default();
        let Some(codes) = there.pointer_mut(CONTENT).and_then(Value::as_object_mut) else { continue };
        codes.extend(added);
        let told: Vec<String> = codes.keys().map(|code| format!("`{code}`")).collect();
        if let Some(description) = there.get_mut("description") {
            *description = told.join(", ").into();
        }
    }
}

/// Handlers of many files are called `list` or `change`, and an operation's id is unique: it is made of
/// method and path, such as `patch_admin_users_user`.
fn name_operations(document: &mut Value) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else {
        return;
    };
    for (path, item) in paths {
        let words: Vec<&str> = path
            .trim_start_matches("/api/")
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let place = words.join("_");
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("operationId".to_owned(), format!("{method}_{place}").into());
            }
        }
    }
}

/// The names of the schemas that a part of the document refers to.
fn referred(part: &Value, into: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            into.extend(name.and_then(|name| name.strip_prefix("#/components/schemas/")).map(str::to_owned));
            members.values().for_each(|member| referred(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, into)),
        _ => {}
    }
}

/// Bodies with fields that a route does not know are refused, so their schemas say so.
fn close_bodies(document: &mut Value) {
    let mut names = Vec::new();
    for item in document.get("paths").and_then(Value::as_object).into_iter().flat_map(|paths| paths.values())
    {
        for operation in item.as_object().into_iter().flat_map(|item| item.values()) {
            referred(operation.pointer("/requestBody/content").unwrap_or(&Value::Null), &mut names);
        }
    }
    let mut closed = BTreeSet::new();
    while let Some(name) = names.pop() {
        let Some(schema) = document.pointer_mut(&format!("/components/schemas/{name}")) else { continue };
        if !closed.insert(name) {
            continue;
        }
        referred(schema, &mut names);
        if let Some(schema) = schema.as_object_mut().filter(|schema| schema.contains_key("properties")) {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
}

/// The routes that show the document.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn routes(openapi: &utoipa::openapi::OpenApi) -> anyhow::Result<Router<AppState>> {
    let mut document = serde_json::to_value(openapi)?;
    name_operations(&mut document);
    close_bodies(&mut document);
    tell_scopes(&mut document)?;
    let document = Bytes::from(serde_json::to_vec(&document)?);
    let page: Router<AppState> = SwaggerUi::new(PAGE)
        .config(Config::from(DOCUMENT).try_it_out_enabled(true).display_request_duration(true))
        .into();
    let page = page.layer(from_fn(async |request, next: Next| {
        let mut response = next.run(request).await;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, DOCS_POLICY);
        response
    }));
    Ok(page
        .route(
            DOCUMENT,
            get(async || ([(header::CONTENT_TYPE, "application/json")], document).into_response()),
        )
        .route("/", get(async || Redirect::to(PAGE))))
}
