//! Refusals: why a command was turned down, in a form that people and programs can act on.

use crate::ids::FigureId;
use std::borrow::Cow;
use thiserror::Error;
use uuid::Uuid;

/// What kind of refusal it is; each kind is one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The thing does not exist, or is not the caller's (404).
    NotFound,
    /// It contradicts what is the case now (409).
    Conflict,
    /// What was said makes no sense by itself (422).
    Invalid,
    /// The caller may not (403).
    Forbidden,
    /// The caller's `If-Match` names an older version (412).
    Stale,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $kind:ident;)*) => {
        /// The stable codes of refusals. A client may rely on them; they never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Its kind.
            pub const fn kind(self) -> RefusalKind {
                match self { $(Self::$variant => RefusalKind::$kind,)* }
            }
        }
    };
}

codes! {
    /// No such figure.
    FigureNotFound = "figure_not_found", NotFound;
    /// No such piece in this collection.
    PieceNotFound = "piece_not_found", NotFound;
    /// No such pre-order in this collection.
    PreorderNotFound = "preorder_not_found", NotFound;
    /// No such manufacturer, series, character, sculptor or store.
    EntityNotFound = "entity_not_found", NotFound;
    /// No such cabinet in this collection.
    CabinetNotFound = "cabinet_not_found", NotFound;
    /// The figure is not on the wishlist.
    WishNotFound = "wish_not_found", NotFound;
    /// No such photo, or none that the caller may see.
    PhotoNotFound = "photo_not_found", NotFound;
    /// No such scan, or none that the caller may see.
    ScanNotFound = "scan_not_found", NotFound;
    /// No such document of the caller's.
    DocumentNotFound = "document_not_found", NotFound;
    /// The account was erased.
    PersonErased = "person_erased", NotFound;
    /// A field does not hold what it should.
    InvalidField = "invalid_field", Invalid;
    /// An amount is negative, too large, too precise or no number.
    InvalidAmount = "invalid_amount", Invalid;
    /// The currency is not supported.
    UnknownCurrency = "unknown_currency", Invalid;
    /// An amount stands without a currency, or the other way round.
    CurrencyMissing = "currency_missing", Invalid;
    /// A date is outside any sensible range, or no date.
    InvalidDate = "invalid_date", Invalid;
    /// The barcode is malformed or its check digit is wrong.
    InvalidJan = "invalid_jan", Invalid;
    /// A name holds no letter or digit.
    InvalidName = "invalid_name", Invalid;
    /// The figure type is not on the list.
    UnknownFigureType = "unknown_figure_type", Invalid;
    /// The deposit exceeds the price, or there is no price.
    DepositAbovePrice = "deposit_above_price", Invalid;
    /// The refund exceeds what was paid.
    RefundAbovePaid = "refund_above_paid", Invalid;
    /// More was asked for in one request than is allowed.
    TooMany = "too_many", Invalid;
    /// A request that changes nothing because it names nothing.
    NothingToDo = "nothing_to_do", Invalid;
    /// Only a `sold` piece carries a sale.
    SaleWithoutSold = "sale_without_sold", Invalid;
    /// Another figure has this barcode.
    JanTaken = "jan_taken", Conflict;
    /// Another figure has this MyFigureCollection id.
    MfcIdTaken = "mfc_id_taken", Conflict;
    /// The catalogue has a figure that may be the very one to be imported.
    SimilarFigure = "similar_figure", Conflict;
    /// Another entity answers to this name: merge them.
    NameTaken = "name_taken", Conflict;
    /// Another cabinet has this name.
    CabinetNameTaken = "cabinet_name_taken", Conflict;
    /// The figure is owned or pre-ordered, so it cannot be wished.
    AlreadyOwned = "already_owned", Conflict;
    /// The piece is archived: restore it first.
    PieceArchived = "piece_archived", Conflict;
    /// The piece has a live pre-order: cancel it, or state the refund.
    PreorderLive = "preorder_live", Conflict;
    /// The pre-order cannot go from its status to that one.
    IllegalStatusStep = "illegal_status_step", Conflict;
    /// A cancelled pre-order can only be replaced.
    PreorderCancelled = "preorder_cancelled", Conflict;
    /// Only a cancelled pre-order can be replaced.
    PreorderNotCancelled = "preorder_not_cancelled", Conflict;
    /// Money was lost, so the piece is archived and not deleted.
    LossMustBeKept = "loss_must_be_kept", Conflict;
    /// A release date can be changed but not taken back.
    ReleaseDateRequired = "release_date_required", Conflict;
    /// The thing was merged into another already.
    AlreadyMerged = "already_merged", Conflict;
    /// The two are the same, or of different kinds.
    MergeImpossible = "merge_impossible", Conflict;
    /// This id exists already.
    AlreadyExists = "already_exists", Conflict;
    /// Only its creator and admins may.
    NotAllowed = "not_allowed", Forbidden;
    /// Whoever is not shown NSFW figures uploads no pictures of them.
    NsfwNotShown = "nsfw_not_shown", Forbidden;
    /// `If-Match` does not name the current version.
    Stale = "stale_version", Stale;
}

/// A command turned down: nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What is wrong, for programs.
    pub code: Code,
    /// What is wrong and what to do, in a sentence.
    pub detail: Cow<'static, str>,
    /// The field at fault, as the caller named it.
    pub field: Option<Cow<'static, str>>,
    /// The figure that is in the way, if one is.
    pub figure_id: Option<FigureId>,
    /// The other thing that is in the way (an entity, a piece).
    pub other_id: Option<Uuid>,
}

impl Refusal {
    /// A refusal with a sentence that says what to do.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), field: None, figure_id: None, other_id: None }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn on(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Names the figure in the way.
    #[must_use]
    pub fn held_by(mut self, figure: FigureId) -> Self {
        self.figure_id = Some(figure);
        self
    }

    /// Names the other thing in the way.
    #[must_use]
    pub fn because_of(mut self, id: Uuid) -> Self {
        self.other_id = Some(id);
        self
    }
}
