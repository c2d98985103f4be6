//! The identities of things. Each is its own type, so that a figure can never be passed for a piece.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The bare UUID, for storage.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

id! {
    /// A person with an account; also the id of that person's `collection` stream.
    UserId
}
id! {
    /// One physical copy in somebody's collection: a row of `owned_items`.
    PieceId
}
id! {
    /// One chapter of a piece's pre-order: a row of `preorders` or `preorder_chapters`.
    PreorderId
}
id! {
    /// A figure of the shared catalogue.
    FigureId
}
id! {
    /// A manufacturer, series, character, sculptor or store.
    EntityId
}
id! {
    /// A registered location of one collection.
    CabinetId
}
id! {
    /// A photo of a figure or of a piece.
    PhotoId
}
id! {
    /// A turntable scan of a piece.
    ScanId
}
id! {
    /// A document of a piece, such as its receipt.
    DocumentId
}
id! {
    /// One event of the log.
    EventId
}
id! {
    /// One run of a command; every event it caused carries it.
    CommandId
}
