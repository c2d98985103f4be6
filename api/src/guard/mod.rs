//! What every request passes before and after its handler. [`router::build`](crate::router::build) puts
//! these layers in order.

pub mod attempts;
pub mod client_address;
pub mod correlation;
pub mod cross_site;
pub mod fresh;
pub mod keys;
pub mod limiter;
pub mod links;
pub mod noindex;
pub mod open_reads;
pub mod own_writes;
pub mod scopes;
pub mod security_headers;
