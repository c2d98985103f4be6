//! The lock under which positions are given out.

macro_rules! append_lock {
    () => {
        7378413942531153927
    };
}

/// The advisory lock under which positions are given out, transaction-scoped. Whoever holds it knows that
/// nothing is appended meanwhile.
pub const APPEND_LOCK: i64 = append_lock!();

// Read committed whatever the server's default is: the look after the lock needs a snapshot of its own.
pub(super) const BEGIN: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(", append_lock!(), ")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_taken_is_the_one_that_is_announced() {
        assert!(BEGIN.ends_with(&format!("pg_advisory_xact_lock({APPEND_LOCK})")));
    }
}
