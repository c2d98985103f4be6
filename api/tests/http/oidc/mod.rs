//! Signing in at a provider: a certified one, run here and driven through its pages, and one that lies.

mod certified;
mod liars;
mod provider;
mod stand_in;

use reqwest::Url;

use crate::support::{Answer, TestApp, TestClient};

/// Where providers send people back to. Nothing listens there: tests hand what comes back to the server they test.
const REDIRECT_BASE: &str = "http://figures.test";
const SECRET: &str = "a secret that only the two of them know";

/// A server at which people can sign in through these providers, each with its issuer.
async fn app_with(providers: &[(&str, &str)], more: &[(&str, &str)]) -> TestApp {
    let mut variables = vec![("OIDC_REDIRECT_BASE".to_owned(), REDIRECT_BASE.to_owned())];
    for (id, issuer) in providers {
        let of = |name: &str| format!("OIDC_{}_{name}", id.to_uppercase());
        variables.push((of("CLIENT_ID"), format!("ledger-{id}")));
        variables.push((of("CLIENT_SECRET"), SECRET.to_owned()));
        variables.push((of("ISSUER_URL"), (*issuer).to_owned()));
    }
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    TestApp::with(&variables).await
}

/// What the address that somebody is sent to says under this name.
fn asked(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{url} has no {name}")).1.into_owned()
}

/// Begins to sign in: where the provider is.
async fn start(client: &TestClient, provider: &str) -> Url {
    sent_on(client.get(&format!("/api/auth/oidc/{provider}/start")).await)
}

#[track_caller]
fn sent_on(answer: Answer) -> Url {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.header("location").parse().unwrap()
}
