//! Looking figures up, searching and counting them.
//!
//! | file | responsibility |
//! |---|---|
//! | `figure.rs` | what a figure looks like, in a list and whole |
//! | `find.rs` | one figure, by whatever it answers to |
//! | `filter.rs` | what is listed and counted |
//! | `list.rs` | listing and searching |
//! | `facets.rs` | how many there are of everything that can be filtered by |

mod facets;
mod figure;
mod filter;
mod find;
mod list;

pub use facets::{EntityCount, Facets, RelationCounts, TypeCount, facets};
pub use figure::{BuyLink, Figure, FigureCard, Release};
pub use filter::Filter;
pub use find::{find, find_by_jan, find_by_mfc_id, find_id};
pub use list::{Cursor, Sort, list};
