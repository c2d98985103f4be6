//! What a figure is called, for those who only name it.

use domain::ids::FigureId;
use sqlx::PgConnection;

/// What a figure is called now.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[allow(missing_docs, reason = "the fields are the columns of `figures`")]
pub struct Called {
    pub name: String,
    pub slug: String,
    pub is_nsfw: bool,
}

/// What a figure is called; `None` when there is none, or it was merged into another.
///
/// # Errors
/// When the database does not answer.
pub async fn called(connection: &mut PgConnection, id: FigureId) -> sqlx::Result<Option<Called>> {
    sqlx::query_as("SELECT name, slug, is_nsfw FROM figures WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(connection)
        .await
}
