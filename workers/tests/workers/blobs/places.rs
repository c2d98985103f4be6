//! Where the tests store files. The S3 server is SeaweedFS, which checks signatures; `scripts/peers.sh` installs it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;
use tokio::sync::OnceCell;
use uuid::Uuid;
use workers::blobs::{S3Settings, SecretKey};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Folder,
    S3,
}

pub const BOTH: [Kind; 2] = [Kind::Folder, Kind::S3];
pub const SECRET: &str = "a-very-secret-access-key";
/// It may do what the program does, in this bucket and in no other.
const RIGHTS: &str = r#"{"identities": [{"name": "ledger", "actions": ["Read:figures", "Write:figures", "List:figures"],
    "credentials": [{"accessKey": "ledger", "secretKey": "a-very-secret-access-key"}]}]}"#;
/// Ends the server, whatever becomes of the tests: their end of the pipe is closed with them.
const UNTIL_CLOSED: &str =
    r#""$@" & server=$!; cat; kill -9 $server; wait $server 2>/dev/null; rm -rf -- "$FOLDER""#;

/// One for all tests of this process; each has keys of its own.
static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();

pub struct Server {
    port: u16,
    _until_closed: ChildStdin,
}

fn program() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
    let program = target.join("peers/bin/weed");
    if program.exists() {
        return Some(program);
    }
    println!("NOT TESTED on S3: scripts/peers.sh has not installed the server");
    assert!(std::env::var("CI").is_err(), "in CI it has to be there");
    None
}

/// Ports below those that the system gives away by itself.
fn free_ports(of: u16) -> Option<u16> {
    let first = 20_000 + u16::try_from(Uuid::new_v4().as_u128() % 1_200).unwrap() * 10;
    let taken = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_err();
    (first..first + of).all(|port| !taken(port)).then_some(first)
}

async fn answers(port: u16) -> bool {
    let asked = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build().unwrap();
    asked.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok()
}

async fn start() -> Option<Server> {
    let program = program()?;
    for _ in 0..10 {
        let Some(port) = free_ports(8) else { continue };
        let folder = std::env::temp_dir().join(format!("figure-ledger-s3-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("rights.json"), RIGHTS).unwrap();
        let mut server = Command::new("sh");
        server.args(["-c", UNTIL_CLOSED, "sh"]).arg(&program).args(["server", "-ip=127.0.0.1"]);
        server.args(["-s3", "-volume.max=8", "-master.volumeSizeLimitMB=64"]);
        server.arg(format!("-dir={}", folder.display()));
        server.arg(format!("-s3.config={}", folder.join("rights.json").display()));
        let roles =
            ["s3", "s3.grpc", "filer", "filer.grpc", "master", "master.grpc", "volume", "volume.grpc"];
        for (place, role) in (port..).zip(roles) {
            let (role, kind) = role.split_once('.').unwrap_or((role, ""));
            let kind = if kind.is_empty() { "port" } else { "port.grpc" };
            server.arg(format!("-{role}.{kind}={place}"));
        }
        server.env("FOLDER", &folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server { port, _until_closed: server.spawn().unwrap().stdin.take().unwrap() };
        for _ in 0..120 {
            if answers(port).await && make_bucket(port + 2).await {
                return Some(server);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
    panic!("the S3 server does not start");
}

/// Buckets are folders of its own.
async fn make_bucket(port: u16) -> bool {
    let asked = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
    let made = asked.post(format!("http://127.0.0.1:{port}/buckets/figures/")).send().await;
    made.is_ok_and(|made| made.status().is_success())
}

impl Server {
    /// The server with the bucket `figures`; none where it is not installed.
    pub async fn get() -> Option<&'static Self> {
        SERVER.get_or_init(start).await.as_ref()
    }

    pub fn settings(&self, prefix: &str) -> S3Settings {
        S3Settings {
            endpoint: Some(format!("http://127.0.0.1:{}", self.port)),
            bucket: "figures".to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "ledger".to_owned(),
            secret_access_key: SecretKey(SECRET.to_owned()),
            path_style: true,
            prefix: prefix.to_owned(),
        }
    }
}
