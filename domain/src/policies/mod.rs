//! What follows from events without anybody asking: the judgements that policies make.
//!
//! Pure, like everything here: rates and what was judged before arrive as arguments. `workers/src/policies` runs
//! them over the log, keeps what they remember, and tells people.

pub mod due_dates;
pub mod price_alert;
pub mod restock_alert;
