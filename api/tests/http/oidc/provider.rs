//! The certified provider as a process, and a person who fills in its pages.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use reqwest::{Url, header};
use scraper::{Html, Selector};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::REDIRECT_BASE;
use crate::support::TestClient;

const PATIENCE: Duration = Duration::from_secs(60);
/// More pages than this nobody has to look at to sign in.
const MOST_PAGES: usize = 20;

/// The provider. It ends with this.
pub struct Provider {
    /// What it calls itself.
    pub issuer: String,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Provider {
    /// Starts it. None where it cannot be run, which in CI is a failure.
    pub async fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc-provider");
        if let Err(missing) = there(&folder) {
            assert!(
                std::env::var("CI").map_or(true, |ci| ci.is_empty() || ci == "false"),
                "{missing}; run scripts/setup.sh tests"
            );
            eprintln!(
                "NOT TESTED: signing in at a real provider, since {missing}; run scripts/setup.sh tests"
            );
            return None;
        }
        let mut child = Command::new("node")
            .arg("provider.mjs")
            .current_dir(&folder)
            .env("REDIRECT_BASE", REDIRECT_BASE)
            .env("NO_COLOR", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut provider = Self { issuer: String::new(), stdin, stdout, _child: child };
        provider.issuer = provider.said("issuer").await;
        Some(provider)
    }

    async fn said(&mut self, name: &str) -> String {
        let answer = async {
            loop {
                let line = self.stdout.next_line().await.unwrap().expect("the provider has ended");
                // It has warnings of its own to give.
                if let Ok(Value::Object(line)) = serde_json::from_str(&line) {
                    break line;
                }
            }
        };
        let line = timeout(PATIENCE, answer).await.expect("the provider says nothing");
        line[name].as_str().unwrap_or_else(|| panic!("{line:?}")).to_owned()
    }

    async fn told(&mut self, line: &str) {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.said("done").await;
    }

    /// It signs with a new key from now on.
    pub async fn rotates_its_key(&mut self) {
        self.told("rotate").await;
    }

    /// What it tells about somebody from now on.
    pub async fn tells(&mut self, name: &str, claims: Value) {
        self.told(&format!("claims {name} {claims}")).await;
    }
}

fn there(folder: &Path) -> Result<(), String> {
    let node: Option<PathBuf> = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|dir| dir.join("node")).find(|node| node.is_file())
    });
    if node.is_none() {
        return Err("there is no node here".to_owned());
    }
    if !folder.join("node_modules/oidc-provider").is_dir() {
        return Err("oidc-provider is not installed".to_owned());
    }
    Ok(())
}

/// Goes to where somebody was sent, signs in as `name` and agrees to everything, and says where they are sent back
/// to: path and query.
pub async fn walk_through(client: &TestClient, from: Url, name: &str) -> String {
    let mut answer = client.http.get(from.clone()).send().await.unwrap();
    let mut at = from;
    for _ in 0..MOST_PAGES {
        if answer.status().is_redirection() {
            let place = answer.headers()[header::LOCATION].to_str().unwrap();
            at = at.join(place).unwrap();
            if at.as_str().starts_with(REDIRECT_BASE) {
                return at.as_str().strip_prefix(REDIRECT_BASE).unwrap().to_owned();
            }
            answer = client.http.get(at.clone()).send().await.unwrap();
            continue;
        }
        let status = answer.status();
        let page = answer.text().await.unwrap();
        assert!(status.is_success(), "{at}: {status}: {page}");
        let (action, fields) = form(&page, name);
        at = at.join(&action).unwrap();
        let sent =
            client.http.post(at.clone()).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        answer = sent.body(body).send().await.unwrap();
    }
    panic!("still at {at} after {MOST_PAGES} pages");
}

/// The form of a page, filled in.
fn form(page: &str, name: &str) -> (String, Vec<(String, String)>) {
    let page = Html::parse_document(page);
    let form =
        page.select(&Selector::parse("form[method=post]").unwrap()).next().expect("a page without a form");
    let fields = form
        .select(&Selector::parse("input[name]").unwrap())
        .map(|field| {
            let field = field.value();
            let value = match field.attr("name").unwrap() {
                "login" => name,
                "password" => "whatever",
                _ => field.attr("value").unwrap_or_default(),
            };
            (field.attr("name").unwrap().to_owned(), value.to_owned())
        })
        .collect();
    (form.value().attr("action").unwrap().to_owned(), fields)
}
