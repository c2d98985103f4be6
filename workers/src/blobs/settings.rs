//! Where files are stored, as the operator says.

use std::fmt;
use std::path::PathBuf;

/// Where files are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobSettings {
    /// In this folder, which is made when it is needed.
    Folder(PathBuf),
    /// On a server that speaks S3.
    S3(S3Settings),
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// The server, such as `http://127.0.0.1:9000`; none for Amazon's of the region.
    pub endpoint: Option<String>,
    /// The bucket, which must be there.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The id of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretKey,
    /// Whether the bucket is part of the path; else of the host's name.
    pub path_style: bool,
    /// What all keys begin with, without a slash at its ends; empty for the whole bucket.
    pub prefix: String,
}

/// A key that no log line shows.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(pub String);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
