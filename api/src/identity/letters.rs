//! Letters that the server itself sends to people: one-time links.

use async_trait::async_trait;

/// A letter in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The address it goes to.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says. It may hold secrets: it is neither logged nor kept.
    pub text: String,
}

/// Sends letters. One of these is put into the state when the server starts.
#[async_trait]
pub trait Letters: Send + Sync {
    /// Whether letters can be sent: somebody has set up a mail server.
    async fn can_send(&self) -> bool;

    /// Sends one, or says in a sentence without secrets why it could not.
    async fn send(&self, letter: Letter) -> Result<(), String>;
}

/// No mail server is set up.
#[derive(Debug, Clone, Copy)]
pub struct NoLetters;

#[async_trait]
impl Letters for NoLetters {
    async fn can_send(&self) -> bool {
        false
    }

    async fn send(&self, _letter: Letter) -> Result<(), String> {
        Err("no mail server is set up".to_owned())
    }
}
