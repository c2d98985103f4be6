//! Where files are stored, and what pictures may take.

use workers::{
    blobs::{S3Settings, SecretKey},
    pictures::Limits,
};

use super::{Reader, Variable};

const ENDPOINT: &str = "S3_ENDPOINT";
const BUCKET: &str = "S3_BUCKET";
const REGION: &str = "S3_REGION";
const ACCESS_KEY_ID: &str = "S3_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "S3_SECRET_ACCESS_KEY";
const PATH_STYLE: &str = "S3_PATH_STYLE";
const PREFIX: &str = "S3_PREFIX";
const MEMORY: &str = "PICTURES_MEMORY_MB";
pub(super) const RENDER_WORKER_TOKEN: &str = "RENDER_WORKER_TOKEN";

/// Less does for no photo of a phone, and more is what a mistyped unit looks like.
const MEMORY_RANGE: std::ops::RangeInclusive<u32> = 128..=65_536;

/// The variables of this file.
pub(super) const VARIABLES: &[Variable] = &[
    Variable {
        name: BUCKET,
        default: "unset",
        meaning: "Stores photos, scans and documents in this bucket of a server that speaks S3. Unset: in the \
                  folder files of the data folder",
    },
    Variable {
        name: ENDPOINT,
        default: "unset",
        meaning: "That server, such as http://127.0.0.1:9000. Unset: Amazon's of the region",
    },
    Variable { name: REGION, default: "us-east-1", meaning: "The region that requests are signed for" },
    Variable { name: ACCESS_KEY_ID, default: "unset", meaning: "The id of the key; needed beside S3_BUCKET" },
    Variable {
        name: SECRET_ACCESS_KEY,
        default: "unset",
        meaning: "The key itself; needed beside S3_BUCKET",
    },
    Variable {
        name: PATH_STYLE,
        default: "true with S3_ENDPOINT",
        meaning: "Whether the bucket is part of the path; else it is part of the host's name",
    },
    Variable {
        name: PREFIX,
        default: "unset",
        meaning: "What all keys in the bucket begin with, for a bucket that holds other things too",
    },
    Variable {
        name: MEMORY,
        default: "768",
        meaning: "How much memory, in MiB, pictures take at most while they are made; one that would take more is \
                  refused",
    },
    Variable {
        name: RENDER_WORKER_TOKEN,
        default: "unset",
        meaning: "Lets workers in that send it as a bearer token and make 3D models of scans. At least 16 characters",
    },
];

/// The bucket, if one is named.
pub(super) fn s3<L: Fn(&str) -> Option<String>>(read: &mut Reader<L>) -> Option<S3Settings> {
    let endpoint = read.parsed(ENDPOINT, "is not an http(s) address such as http://127.0.0.1:9000", |text| {
        let url: url::Url = text.parse().ok()?;
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        (known && bare).then(|| text.trim_end_matches('/').to_owned())
    });
    let path_style = read.switch(PATH_STYLE, endpoint.is_some());
    let prefix = read.parsed(PREFIX, "is no prefix such as figures/files", |text| {
        let prefix = text.trim_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        let known =
            prefix.bytes().all(plain) && prefix.split('/').all(|part| !matches!(part, "" | "." | ".."));
        known.then(|| prefix.to_owned())
    });
    let (id, key) = (read.text(ACCESS_KEY_ID), read.text(SECRET_ACCESS_KEY));
    let region = read.text(REGION).unwrap_or_else(|| "us-east-1".to_owned());
    let Some(bucket) = read.text(BUCKET) else {
        for (name, is_set) in [
            (ENDPOINT, endpoint.is_some()),
            (ACCESS_KEY_ID, id.is_some()),
            (SECRET_ACCESS_KEY, key.is_some()),
        ] {
            if is_set {
                read.fault(format!("{BUCKET}: is needed beside {name}"));
            }
        }
        return None;
    };
    for (name, is_set) in [(ACCESS_KEY_ID, id.is_some()), (SECRET_ACCESS_KEY, key.is_some())] {
        if !is_set {
            read.fault(format!("{name}: is needed beside {BUCKET}"));
        }
    }
    let (access_key_id, secret_access_key) = (id?, SecretKey(key?));
    let prefix = prefix.unwrap_or_default();
    Some(S3Settings { endpoint, bucket, region, access_key_id, secret_access_key, path_style, prefix })
}

/// How much pictures may take.
pub(super) fn limits<L: Fn(&str) -> Option<String>>(read: &mut Reader<L>) -> Limits {
    let memory = read.parsed(MEMORY, "is not a number of MiB from 128 to 65536", |text| {
        text.parse().ok().filter(|mib| MEMORY_RANGE.contains(mib))
    });
    let limits = Limits::default();
    Limits { memory_mib: memory.unwrap_or(limits.memory_mib), ..limits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use workers::blobs::BlobSettings;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn files_lie_in_the_data_folder_unless_a_bucket_is_named() {
        let config = read(&[("FIGURE_LEDGER_DATA", "/srv/ledger")]).unwrap();
        assert_eq!(config.blobs(), BlobSettings::Folder("/srv/ledger/files".into()));
    }

    #[test]
    fn a_bucket_needs_a_key_and_a_key_a_bucket() {
        let error = read(&[("S3_BUCKET", "figures")]).unwrap_err();
        assert!(error.contains(ACCESS_KEY_ID) && error.contains(SECRET_ACCESS_KEY), "{error}");
        let error = read(&[("S3_SECRET_ACCESS_KEY", "very-secret-key")]).unwrap_err();
        assert!(error.contains(BUCKET) && !error.contains("very-secret-key"), "{error}");
    }

    #[test]
    fn a_server_of_ones_own_has_the_bucket_in_the_path_and_the_key_is_never_shown() {
        let all = [
            ("S3_ENDPOINT", "http://127.0.0.1:9000/"),
            ("S3_BUCKET", "figures"),
            ("S3_ACCESS_KEY_ID", "ledger"),
            ("S3_SECRET_ACCESS_KEY", "very-secret-key"),
            ("S3_PREFIX", "/a/b/"),
        ];
        let config = read(&all).unwrap();
        assert!(!format!("{config:?}").contains("very-secret-key"));
        let Some(s3) = config.s3 else { panic!("{config:?}") };
        assert_eq!((s3.endpoint.as_deref(), s3.path_style), (Some("http://127.0.0.1:9000"), true));
        assert_eq!((s3.region.as_str(), s3.prefix.as_str()), ("us-east-1", "a/b"));
        let error = read(&[("S3_PREFIX", "a/../b"), ("S3_ENDPOINT", "localhost")]).unwrap_err();
        assert!(error.contains(PREFIX) && error.contains(ENDPOINT), "{error}");
    }
}
