//! A figure as a store or a catalogue elsewhere describes it: into the catalogue, or straight onto a wishlist.
//!
//! Importing the same thing again never doubles anything. Whether one that looks alike is the same is not decided
//! here: whoever asks says which it resembles, and insists when it is another one all the same.

use super::catalogue_figure::CatalogueFigure;
use super::finding::{LiveFigure, code_holder, live_figure};
use super::import_row::{FigureFound, contradicts, wish_code};
use crate::claim::{ClaimCode, ClaimCommand, Holder};
use crate::collection::{CollectionCommand, words};
use crate::figure::{FigureCommand, Observation, ObservedPrice, ObservedStore, Offer, Original, Stock};
use crate::ids::{FigureId, PieceId, UserId};
use crate::money::Money;
use crate::refusal::{Code, Refusal};
use crate::text::{HttpUrl, Line};
use crate::world::{Command, Stop, World};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What a store asked for a figure when it was imported, and whether it had it. The store is that of the figure's first
/// buy link.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenAtStore {
    /// Who was asked: host and port of the provider.
    pub provider: Line<260>,
    /// What the provider calls the store.
    pub source: Line<100>,
    /// The page.
    pub url: HttpUrl,
    /// The price, above zero.
    pub price: Option<Money>,
    /// What the store asked, where that was converted.
    pub original: Option<Original>,
    /// The label of the version that the price is for.
    pub version: Option<Line<200>>,
    /// Whether the store has it.
    pub stock: Option<Stock>,
    /// When that was seen.
    pub seen_at: DateTime<Utc>,
}

/// Add a figure that was found elsewhere, unless it is here.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportProduct {
    /// The figure. Its import code or MyFigureCollection id tells whether it was imported before.
    pub figure: CatalogueFigure,
    /// What its store asks for it.
    pub seen: Option<SeenAtStore>,
    /// A figure of the catalogue that it resembles, unless the caller knows that it is another one.
    pub resembles: Option<FigureId>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductImported {
    /// The figure.
    pub figure_id: FigureId,
    /// Whether an earlier import had brought it.
    pub existed: bool,
}

impl ImportProduct {
    /// The codes by which an earlier import of the same thing is known.
    pub fn codes(&self) -> impl Iterator<Item = (ClaimCode, FigureFound)> {
        let import = self.figure.imported_as.as_ref();
        let import = import.map(|(l, n)| (ClaimCode::import(l.as_str(), n.as_str()), FigureFound::Before));
        let mfc = self.figure.mfc_id.map(|id| (ClaimCode::mfc(id), FigureFound::MfcId));
        import.into_iter().chain(mfc)
    }

    fn imported_before(&self, world: &mut World) -> Result<Option<(FigureId, FigureFound)>, Stop> {
        for (code, how) in self.codes() {
            if let Some(id) = code_holder(world, &code)? {
                return Ok(Some((id, how)));
            }
        }
        Ok(None)
    }

    /// Adds it, with what its store asks.
    fn add(&self, world: &mut World) -> Result<FigureId, Stop> {
        let id = self.figure.decide(world)?.figure_id;
        let Some(seen) = &self.seen else { return Ok(id) };
        let Some(store_id) = world.figure(id)?.buy_links.first().map(|link| link.store_id) else {
            return Ok(id);
        };
        let offer = Offer {
            provider: seen.provider.clone(),
            source: seen.source.clone(),
            store_id,
            url: seen.url.clone(),
        };
        let said = seen.stock.map(|stock| (offer.clone(), stock));
        let price = seen.price.map(|price| ObservedPrice {
            price,
            original: seen.original.clone(),
            offer,
            matched_version: seen.version.clone(),
        });
        let stores = vec![ObservedStore { store_id, said, confirmed_at: None }];
        let observation = Observation { seen_at: seen.seen_at, price, stores };
        world.tell_figure(id, FigureCommand::Observe(Box::new(observation)))?;
        Ok(id)
    }
}

impl Command for ImportProduct {
    type Answer = ProductImported;
    const NAME: &'static str = "import_product";

    fn decide(&self, world: &mut World) -> Result<ProductImported, Stop> {
        if let Some((figure_id, _)) = self.imported_before(world)? {
            return Ok(ProductImported { figure_id, existed: true });
        }
        if let Some(resembled) = self.resembles {
            let there = live_figure(world, resembled)?.id;
            let refusal =
                Refusal::new(Code::SimilarFigure, "the catalogue has a figure that may be this very one");
            return Err(refusal.held_by(there).into());
        }
        Ok(ProductImported { figure_id: self.add(world)?, existed: false })
    }
}

words! {
    /// What became of a wish that was brought in.
    WishFate {
        /// It is on the wishlist now; its figure was imported before.
        Wished = "wished",
        /// It is on the wishlist now, for a figure that the catalogue had.
        Linked = "linked",
        /// It is on the wishlist now, and its figure was added to the catalogue for it.
        Created = "created",
        /// It was on the wishlist.
        AlreadyWished = "already_wished",
        /// It is owned, so it cannot be wished.
        Owned = "owned",
        /// It is pre-ordered, so it cannot be wished.
        Preordered = "preordered",
    }
}

/// Wish a figure that was found elsewhere; the catalogue gains it when it is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportWish {
    /// Whose collection.
    pub user_id: UserId,
    /// What the row is for good: `product:` and the page.
    pub source: Line<100>,
    /// The figure, if it can be added when it is unknown.
    pub product: Option<ImportProduct>,
    /// The figure of the catalogue that it is taken for. Not taken when a code contradicts it.
    pub likely: Option<(FigureId, FigureFound)>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishImported {
    /// In a word.
    pub fate: WishFate,
    /// The figure.
    pub figure_id: FigureId,
    /// How it was found.
    pub found: FigureFound,
}

impl ImportWish {
    fn known(&self, world: &mut World) -> Result<Option<(LiveFigure, FigureFound)>, Stop> {
        if let Some(product) = &self.product {
            if let Some((id, how)) = product.imported_before(world)? {
                return Ok(Some((live_figure(world, id)?, how)));
            }
            if let Some(jan) = &product.figure.jan
                && let Some(id) = code_holder(world, &ClaimCode::gtin(jan))?
            {
                return Ok(Some((live_figure(world, id)?, FigureFound::Jan)));
            }
        }
        if let Some(id) = code_holder(world, &wish_code(self.user_id, &self.source))? {
            return Ok(Some((live_figure(world, id)?, FigureFound::Before)));
        }
        if let Some((id, how)) = self.likely {
            let figure = live_figure(world, id)?;
            if !self.product.as_ref().is_some_and(|product| contradicts(&product.figure, &figure.figure)) {
                return Ok(Some((figure, how)));
            }
        }
        Ok(None)
    }

    fn find(&self, world: &mut World) -> Result<(LiveFigure, FigureFound), Stop> {
        if let Some(known) = self.known(world)? {
            return Ok(known);
        }
        let Some(product) = &self.product else {
            return Err(Refusal::new(Code::FigureNotFound, "the catalogue has no such figure").into());
        };
        let id = product.add(world)?;
        Ok((live_figure(world, id)?, FigureFound::Created))
    }

    /// Whether pieces of a figure are only on order.
    fn awaits(&self, world: &mut World, same: &[FigureId]) -> Result<bool, Stop> {
        let collection = world.collection(self.user_id)?;
        let mut ids: Vec<(PieceId, bool)> = collection
            .pieces
            .iter()
            .filter(|(_, piece)| piece.archived.is_none() && same.contains(&piece.figure_id))
            .map(|(id, piece)| (*id, piece.preordered))
            .collect();
        ids.sort_unstable();
        for (id, preordered) in ids {
            let chapter = if preordered { world.preorder(id)?.chapter.clone() } else { None };
            if !chapter.is_some_and(|chapter| chapter.status.is_live()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Command for ImportWish {
    type Answer = WishImported;
    const NAME: &'static str = "import_wish";

    fn decide(&self, world: &mut World) -> Result<WishImported, Stop> {
        let user = self.user_id;
        let (figure, found) = self.find(world)?;
        let (figure_id, same_figure) = (figure.id, figure.same());
        let collection = world.collection(user)?;
        if same_figure.iter().any(|id| collection.wishes.contains_key(id)) {
            return Ok(WishImported { fate: WishFate::AlreadyWished, figure_id, found });
        }
        if collection.owns_any(&same_figure) {
            let awaited = self.awaits(world, &same_figure)?;
            let fate = if awaited { WishFate::Preordered } else { WishFate::Owned };
            return Ok(WishImported { fate, figure_id, found });
        }
        let wish = CollectionCommand::Wish { figure_id, same_figure, target: None, note: None };
        world.tell_collection(user, wish)?;
        // A name is remembered: the same page is the same figure when one of the two is called otherwise tomorrow.
        if matches!(found, FigureFound::Name | FigureFound::Likeness) {
            let code = wish_code(user, &self.source);
            let holder = Holder::Figure(figure_id);
            world.tell_claim(&code, ClaimCommand::Take { code: code.clone(), holder })?;
        }
        let fate = match found {
            FigureFound::Before => WishFate::Wished,
            FigureFound::Created | FigureFound::AmbiguousCreated => WishFate::Created,
            _ => WishFate::Linked,
        };
        Ok(WishImported { fate, figure_id, found })
    }
}
