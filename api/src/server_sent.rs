//! Server-sent events, as the document describes them.

use utoipa::ToSchema;

/// One of the events of a `text/event-stream`, which is one after the other. A description of all of them together
/// would be a text that tells nobody anything.
#[derive(ToSchema)]
pub struct ServerSentEvent {
    /// What kind of event it is; the operation says which there are, and what each holds.
    #[schema(example = "progress")]
    pub event: String,
    /// JSON, as text.
    #[schema(example = r#"{"done":40,"total":1000}"#)]
    pub data: String,
    /// A position of the log, where the event has one. A client that comes back sends it as `Last-Event-ID`.
    #[schema(example = "243")]
    pub id: Option<String>,
}
