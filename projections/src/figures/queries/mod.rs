//! Looking figures up, searching and counting them.
//!
//! | file | responsibility |
//! |---|---|
//! | `figure.rs` | what a figure looks like, in a list and whole |
//! | `find.rs` | one figure, by whatever it answers to |
//! | `alike.rs` | those that a title may mean |
//! | `crossings.rs` | those of series on a manga shelf |
//! | `filter.rs` | what is listed and counted |
//! | `links.rs` | where they are sold |
//! | `list.rs` | listing and searching |
//! | `facets.rs` | how many there are of everything that can be filtered by |

mod alike;
mod crossings;
mod facets;
mod figure;
mod filter;
mod find;
mod links;
mod list;

pub use alike::{Resembling, resembling};
pub use crossings::{
    CrossingCursor, OpenFigure, OwnedSeries, UnownedFigure, by_mal_id, mal_ids_of, owned_series,
    unowned_figures,
};
pub use facets::{EntityCount, Facets, RelationCounts, TypeCount, facets};
pub use figure::{BuyLink, Figure, FigureCard, Release};
pub use filter::Filter;
pub use find::{find, find_by_jan, find_by_mfc_id, find_id};
pub use links::buy_links;
pub use list::{Cursor, Sort, list};
