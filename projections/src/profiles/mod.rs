//! What others see of somebody's collection: counted, listed by figure, and compared with one's own. Nothing here
//! tells what was paid, where a thing stands or what was noted.
//!
//! What is not safe for work is left out of every number and every list at once, where it is to be left out. Figures
//! that the catalogue's read model has yet to hear of are left out always: nobody knows what they are.

mod compare;
mod counts;
mod shelf;

pub use compare::{Compared, Overlap, Part, Sides, compared, overlap};
pub use counts::{Counts, counts, pieces_of};
pub use shelf::{Card, shelf};

/// Of several pieces `o` those on which something is pinned, as an array; none without any.
const PINNED: &str =
    "array_agg(o.id) FILTER (WHERE o.cover_photo_id IS NOT NULL OR o.cover_scan_id IS NOT NULL)";
/// Whether piece `o` is here: not archived, and received if it was ever pre-ordered.
const HERE: &str = "o.archived_at IS NULL AND (o.preorder_status IS NULL OR o.preorder_status = 'received')";
