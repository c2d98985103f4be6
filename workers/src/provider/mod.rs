//! The price provider: any HTTP server with the contract of `docs/prices.md`.

mod breaker;
mod client;
mod contract;
mod error;
mod price;

pub(crate) use breaker::Breakers;
pub use client::{Options, Provider, ProviderAddress};
pub use contract::{Product, Store, Version, whole};
pub use error::{Fault, ProviderError};
pub use price::{Asked, Dropped};
