//! Where figures come from besides people's own hands: pages of stores that the price provider can ask, and pages of
//! MyFigureCollection that somebody pastes.
//!
//! Both end as a [`Proposal`]: a figure that can be shown before it is saved, with what was left out of it and why.
//! `docs/sources.md` says how each field is read. Nothing here writes to the log.

mod alike;
mod facts;
mod links;
mod lookup;
pub mod mfc_page;
mod proposal;

pub use alike::{By, Candidate, candidates};
pub use links::{links_in, mfc_id_of};
pub use lookup::{Asked, Found, Page, SourceError, Sources};
pub use proposal::{OfferedVersion, Proposal, Remark, Unusable, of_page, priced};
