//! MangaCollector servers: what people show there of what they read.
//!
//! | file | responsibility |
//! |---|---|
//! | `profile.rs` | reading a public page, whatever it claims |
//! | `client.rs` | asking for it: guarded, paced, once at a time, and kept |
//! | `error.rs` | why there is none |

mod client;
mod error;
mod profile;

pub use client::{HOLDS_FOR, Kept, Manga, Options, RESTS_FOR};
pub(crate) use error::outbound_code;
pub use error::{Failure, MangaError};
pub use profile::{Entry, MOST_ENTRIES, NotAProfile, Profile};
