//! How the statements that write are planned.

/// Settings of a connection that finds and writes rows by their keys, a batch of them at a time.
///
/// Planning such a statement costs more than running it, so it is planned once. That plan has to be right for
/// tables of every size: planned while they are nearly empty, it would read them from end to end ever after.
/// So rows are looked up one by one, in an index, which is never far from the best for a batch.
pub const BY_KEYS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_material", "off"),
    ("jit", "off"),
];
