//! The folder: `stores.json`, and for each store a file of its products, named after its id.

use std::{fs, io, path::PathBuf};

use axum::http::Uri;
use serde_json::{Map, Value};

/// A file that cannot be told from.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no file {0}")]
    NoFile(String),
    /// It cannot be read.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// Its name.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{file} is not what it should be: {wrong}")]
    Wrong {
        /// Its name.
        file: String,
        /// What is wrong with it.
        wrong: String,
    },
}

/// A store of `stores.json`.
pub(super) struct Shop {
    pub id: String,
    hosts: Vec<String>,
    /// All that the file says of it.
    pub whole: Map<String, Value>,
}

impl Shop {
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|one| one.eq_ignore_ascii_case(host))
    }
}

pub(super) struct Files(PathBuf);

impl Files {
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub fn stores(&self) -> Result<Vec<Shop>, FileError> {
        const FILE: &str = "stores.json";
        let wrong = |wrong: &str| FileError::Wrong { file: FILE.to_owned(), wrong: wrong.to_owned() };
        let read = |whole: Map<String, Value>| {
            let id =
                whole.get("id").and_then(Value::as_str).ok_or_else(|| wrong("a store has no id"))?.to_owned();
            // It names a file of this folder and of no other.
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if id.is_empty() || !id.chars().all(plain) {
                return Err(wrong("the id of a store holds letters, digits, - and _"));
            }
            let hosts = whole.get("hosts").and_then(Value::as_array).into_iter().flatten();
            let hosts: Vec<String> = hosts.filter_map(Value::as_str).map(str::to_owned).collect();
            if hosts.is_empty() {
                return Err(wrong("a store names no hosts"));
            }
            Ok(Shop { id, hosts, whole })
        };
        self.list(FILE)?.into_iter().map(read).collect()
    }

    pub fn products(&self, store: &Shop) -> Result<Vec<Map<String, Value>>, FileError> {
        let mut products = self.list(&format!("{}.json", store.id))?;
        for product in &mut products {
            product.insert("store_id".to_owned(), store.id.clone().into());
        }
        Ok(products)
    }

    /// A JSON array of objects.
    fn list(&self, file: &str) -> Result<Vec<Map<String, Value>>, FileError> {
        let text = fs::read(self.0.join(file)).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FileError::NoFile(file.to_owned()),
            _ => FileError::Unreadable { file: file.to_owned(), source },
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| FileError::Wrong { file: file.to_owned(), wrong: error.to_string() })
    }
}

/// The host of an http(s) address.
pub(super) fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https")).then(|| uri.host().map(str::to_owned))?
}
