//! Looks names up, and gives away only what may be connected to.

use super::{AllowedNetworks, OutboundError, is_public};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How names are looked up.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// As the system looks names up.
#[must_use]
pub fn system_lookup() -> Lookup {
    Arc::new(|name| async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) }.boxed())
}

/// Which addresses may be connected to.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// Any.
    Anywhere,
    /// Those of the public internet, and of these networks.
    Public(AllowedNetworks),
}

impl Reach {
    pub(super) fn covers(&self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public(allowed) => is_public(address) || allowed.contains(address),
        }
    }
}

/// Names lead to addresses that may be connected to alone. What it gives is what is connected to: nobody looks the
/// name up again.
pub(super) struct Checked {
    pub reach: Reach,
    pub lookup: Lookup,
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, found) = (self.reach.clone(), (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let name = name.as_str();
            let found = found.await.map_err(|_cause| refused(OutboundError::Unresolved(name.to_owned())))?;
            if found.is_empty() {
                return Err(refused(OutboundError::Unresolved(name.to_owned())));
            }
            let fit: Vec<SocketAddr> =
                found.into_iter().filter(|address| reach.covers(address.ip())).collect();
            if fit.is_empty() {
                return Err(refused(OutboundError::Private(name.to_owned())));
            }
            let addresses: Addrs = Box::new(fit.into_iter());
            Ok(addresses)
        })
    }
}

fn refused(error: OutboundError) -> Box<dyn Error + Send + Sync> {
    Box::new(error)
}
