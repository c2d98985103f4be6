//! Looks names up, and gives away only what may be connected to.

use super::{OutboundError, is_public};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::error::Error;
use std::net::SocketAddr;

/// Names lead to public addresses alone, unless anything goes. What it gives is what is connected to: nobody looks
/// the name up again.
#[derive(Debug)]
pub(super) struct Checked {
    pub anywhere: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let anywhere = self.anywhere;
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0))
                .await
                .map_err(|_cause| refused(OutboundError::Unresolved(name.to_owned())))?
                .collect();
            if found.is_empty() {
                return Err(refused(OutboundError::Unresolved(name.to_owned())));
            }
            let fit: Vec<SocketAddr> =
                found.into_iter().filter(|address| anywhere || is_public(address.ip())).collect();
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
