//! AniList: which number a series has on MyAnimeList, as far as its name tells.
//!
//! Only looks, when somebody asks; nobody's answer is taken without a person saying so.

mod answer;
mod client;

pub use answer::Candidate;
pub use client::{AniList, AniListError, AniListSettings, Options};
