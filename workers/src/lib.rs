//! What the clock or the outside world starts: imports, and the demo collection.

pub mod demo;
pub mod imports;
