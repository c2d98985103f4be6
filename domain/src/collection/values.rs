//! The words of a collection.

use crate::ids::PieceId;
use crate::money::rates::Rates;
use crate::money::{Amount, Currency, FxRate, Money};
use crate::refusal::{Code, Refusal};
use crate::text::Location;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stored word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|v| v.as_str() == s).ok_or(())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The state a piece is in.
    Condition {
        /// Mint in box, sealed.
        MibSealed = "mib_sealed",
        /// The box was opened.
        OpenedBox = "opened_box",
        /// On a shelf.
        Displayed = "displayed",
        /// Without its box.
        Loose = "loose",
        /// Broken or stained.
        Damaged = "damaged",
    }
}

words! {
    /// How a piece came.
    Origin {
        /// Bought.
        Purchased = "purchased",
        /// A present.
        Gift = "gift",
        /// Swapped for something.
        Trade = "trade",
        /// Found.
        Found = "found",
        /// Inherited.
        Inherited = "inherited",
    }
}

words! {
    /// Why a piece was archived.
    ArchiveReason {
        /// Sold; may carry a `Sale`.
        Sold = "sold",
        /// Swapped away.
        Traded = "traded",
        /// Lost.
        Lost = "lost",
        /// Given away.
        Gifted = "gifted",
        /// Its pre-order was cancelled.
        Cancelled = "cancelled",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// Why a wish ended.
    UnwishReason {
        /// Taken off by hand.
        Removed = "removed",
        /// A piece of the figure was added or restored.
        Owned = "owned",
        /// The wish came true.
        Acquired = "acquired",
        /// It continues under the figure that this one was merged into.
        Merged = "merged",
    }
}

/// What a piece cost: all amounts in one currency, and that currency's rate when it was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The price, deposit included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
    /// Shipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Amount>,
    /// Import VAT and customs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<Amount>,
    /// Their currency; stands exactly when an amount does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// EUR for one unit of the currency, frozen; absent means today's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fx_rate: Option<FxRate>,
}

impl Cost {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that currency and amounts go together. A currency without an amount says nothing and is dropped.
    ///
    /// # Errors
    /// `CurrencyMissing` when an amount has no currency; `InvalidAmount` when the currency cannot express one.
    pub fn checked(self) -> Result<Self, Refusal> {
        let amounts =
            [("price_amount", self.price), ("shipping_amount", self.shipping), ("fees_amount", self.fees)];
        let Some((first, _)) = amounts.into_iter().find(|(_, a)| a.is_some()) else {
            return Ok(Self::default());
        };
        let Some(currency) = self.currency else {
            return Err(Refusal::new(
                Code::CurrencyMissing,
                format!("{first} needs a price_currency beside it"),
            )
            .on("price_currency"));
        };
        for (field, amount) in amounts {
            if amount.is_some_and(|a| !a.fits(currency)) {
                return Err(Refusal::new(
                    Code::InvalidAmount,
                    format!("{currency} amounts have at most {} decimal places", currency.minor_units()),
                )
                .on(field));
            }
        }
        Ok(self)
    }

    /// The same with the rate that is frozen now, unless one is given already. Without an amount there is
    /// nothing to freeze one for.
    #[must_use]
    pub fn frozen(self, rates: &Rates, purchase_date: Option<NaiveDate>, today: NaiveDate) -> Self {
        let stated = self.price.or(self.shipping).or(self.fees).and(self.currency);
        let fx_rate =
            stated.and_then(|currency| self.fx_rate.or_else(|| rates.frozen(currency, purchase_date, today)));
        Self { fx_rate, ..self }
    }

    /// The same without fees: the part that a pre-order states.
    #[must_use]
    pub fn without_fees(self) -> Self {
        Self { fees: None, ..self }
    }
}

/// Where a piece stands after arranging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The piece.
    pub piece_id: PieceId,
    /// Its cabinet; none is "unshelved".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Its place among the pieces there, ascending.
    pub sort_order: i32,
}

/// What a sold piece brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// The sale price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// The day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_on: Option<NaiveDate>,
}
