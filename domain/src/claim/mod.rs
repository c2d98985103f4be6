//! Claims: a code belongs to one id, also when several people ask for it at once.

mod event;

pub use event::ClaimEvent;

use crate::entity::EntityKind;
use crate::gtin::Gtin;
use crate::ids::{EntityId, FigureId};
use crate::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A namespaced code; the id of its claim's stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimCode(String);

impl ClaimCode {
    /// A name of one kind of entity.
    pub fn slug(kind: EntityKind, slug: &str) -> Self {
        Self(format!("slug:{}:{slug}", kind.as_str()))
    }

    /// A barcode.
    pub fn gtin(gtin: &Gtin) -> Self {
        Self(format!("gtin:{}", gtin.normalised()))
    }

    /// A MyFigureCollection item id.
    pub fn mfc(id: i64) -> Self {
        Self(format!("mfc:{id}"))
    }

    /// A row of an import: `import:nendoroid:1234`.
    pub fn import(line: &str, number: &str) -> Self {
        Self(format!("import:{line}:{number}"))
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ClaimCode {
    type Err = ();

    /// A known namespace, a colon, and a non-empty rest.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s.split_once(':') {
            Some(("slug" | "gtin" | "mfc" | "import", rest)) if !rest.is_empty() => Ok(Self(s.to_owned())),
            _ => Err(()),
        }
    }
}

impl fmt::Display for ClaimCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A figure's.
    Figure(FigureId),
    /// An entity's.
    Entity(EntityId),
}

/// The state of one claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Who holds it now.
    pub holder: Option<Holder>,
}

/// What can be asked of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimCommand {
    /// Take the code.
    Take {
        /// The code.
        code: ClaimCode,
        /// For whom.
        holder: Holder,
    },
    /// Give it back.
    Release {
        /// Who gives it back.
        holder: Holder,
    },
}

impl Claim {
    /// Decides a command: taking one's own code again, or releasing what one does not hold, is nothing.
    ///
    /// # Errors
    /// `AlreadyExists` when somebody else holds the code; callers say which code it is.
    pub fn decide(&self, command: ClaimCommand) -> Result<Vec<ClaimEvent>, Refusal> {
        match command {
            ClaimCommand::Take { code, holder } => match self.holder {
                None => Ok(vec![ClaimEvent::Claimed { code, holder }]),
                Some(current) if current == holder => Ok(vec![]),
                Some(_) => Err(Refusal::new(Code::AlreadyExists, "this code belongs to something else")),
            },
            ClaimCommand::Release { holder } if self.holder == Some(holder) => {
                Ok(vec![ClaimEvent::Released { holder }])
            }
            ClaimCommand::Release { .. } => Ok(vec![]),
        }
    }

    /// Folds one event.
    pub fn apply(&mut self, event: &ClaimEvent) {
        self.holder = match event {
            ClaimEvent::Claimed { holder, .. } => Some(*holder),
            ClaimEvent::Released { .. } => None,
        };
    }
}
