//! Pictures in these histories: photos, scans, documents and covers of pieces, and the catalogue's photos.

use super::{ANNA, FIGURES, History, SLOTS, figure};
use domain::collection::{PictureCommand as C, Pictures, Piece};
use domain::commands::{
    AddDocument, AddFigurePhotos, AddPhotos, ChangeFigurePhotos, ChangePictures, MakeScan, PinCover,
};
use domain::figure::{PhotoCommand, Photos};
use domain::ids::{FigureId, PhotoId, PieceId};
use domain::picture::{
    BlobKey, BlurHash, Cover, DocumentType, ImageType, MOST_FRAMES, Picture, StoredDocument,
};
use domain::stream::StreamId;
use domain::text::Line;
use domain::world::State;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// What somebody tries with pictures. `which` counts on from the first when there are fewer; a stale one names a
/// picture that the caller cannot have seen.
#[derive(Debug, Clone)]
pub(super) enum Picturing {
    Upload {
        slot: u8,
        shots: Vec<u8>,
    },
    Order {
        slot: u8,
        turned: u8,
    },
    Replace {
        slot: u8,
        which: u8,
        shot: u8,
        stale: bool,
    },
    Remove {
        slot: u8,
        which: u8,
        stale: bool,
    },
    Share {
        slot: u8,
        which: u8,
        shared: bool,
    },
    Scan {
        slot: u8,
        frames: Vec<u8>,
    },
    Reframe {
        slot: u8,
        which: u8,
        frames: Vec<u8>,
        stale: bool,
    },
    RemoveScan {
        slot: u8,
        which: u8,
    },
    ShareScan {
        slot: u8,
        which: u8,
        shared: bool,
    },
    File {
        slot: u8,
    },
    Unfile {
        slot: u8,
        which: u8,
    },
    PinPhoto {
        slot: u8,
        which: u8,
    },
    PinScan {
        slot: u8,
        which: u8,
    },
    Unpin {
        slot: u8,
    },
    /// A picture of another piece.
    PinAnother {
        slot: u8,
        of: u8,
        which: u8,
    },
    Catalogue {
        figure: u8,
        shots: Vec<u8>,
    },
    OrderCatalogue {
        figure: u8,
        turned: u8,
    },
    ReplaceCatalogue {
        figure: u8,
        which: u8,
        shot: u8,
    },
    RemoveCatalogue {
        figure: u8,
        which: u8,
    },
    Primary {
        figure: u8,
        which: u8,
    },
}

pub(super) fn any_picturing() -> impl Strategy<Value = Picturing> {
    use Picturing as P;
    let slot = || 0..SLOTS;
    let of_figure = || 0..FIGURES;
    let which = || 0_u8..4;
    let shots = || proptest::collection::vec(0_u8..6, 0..4);
    let stale = || prop::bool::weighted(0.2);
    prop_oneof![
        8 => (slot(), shots()).prop_map(|(slot, shots)| P::Upload { slot, shots }),
        3 => (slot(), which()).prop_map(|(slot, turned)| P::Order { slot, turned }),
        8 => (slot(), which(), 0_u8..6, stale())
            .prop_map(|(slot, which, shot, stale)| P::Replace { slot, which, shot, stale }),
        3 => (slot(), which(), stale()).prop_map(|(slot, which, stale)| P::Remove { slot, which, stale }),
        3 => (slot(), which(), any::<bool>())
            .prop_map(|(slot, which, shared)| P::Share { slot, which, shared }),
        7 => (slot(), shots()).prop_map(|(slot, frames)| P::Scan { slot, frames }),
        8 => (slot(), which(), shots(), stale())
            .prop_map(|(slot, which, frames, stale)| P::Reframe { slot, which, frames, stale }),
        3 => (slot(), which()).prop_map(|(slot, which)| P::RemoveScan { slot, which }),
        3 => (slot(), which(), any::<bool>())
            .prop_map(|(slot, which, shared)| P::ShareScan { slot, which, shared }),
        4 => slot().prop_map(|slot| P::File { slot }),
        5 => (slot(), which()).prop_map(|(slot, which)| P::Unfile { slot, which }),
        3 => (slot(), which()).prop_map(|(slot, which)| P::PinPhoto { slot, which }),
        2 => (slot(), which()).prop_map(|(slot, which)| P::PinScan { slot, which }),
        1 => slot().prop_map(|slot| P::Unpin { slot }),
        1 => (slot(), slot(), which()).prop_map(|(slot, of, which)| P::PinAnother { slot, of, which }),
        6 => (of_figure(), shots()).prop_map(|(figure, shots)| P::Catalogue { figure, shots }),
        3 => (of_figure(), which()).prop_map(|(figure, turned)| P::OrderCatalogue { figure, turned }),
        6 => (of_figure(), which(), 0_u8..6)
            .prop_map(|(figure, which, shot)| P::ReplaceCatalogue { figure, which, shot }),
        3 => (of_figure(), which()).prop_map(|(figure, which)| P::RemoveCatalogue { figure, which }),
        2 => (of_figure(), which()).prop_map(|(figure, which)| P::Primary { figure, which }),
    ]
}

fn picture(shot: u8) -> Picture {
    let key = |size: u8| BlobKey::of_digest([size, shot].repeat(16).try_into().unwrap());
    Picture {
        original: key(0),
        media_type: ImageType::Jpeg,
        bytes: 1_000,
        width: 400,
        height: 300,
        small: key(1),
        large: key(2),
        blurhash: BlurHash::new("LEHV6nWB2yk8pyo0adR*.7kCMdnj").unwrap(),
    }
}

fn pictures(shots: &[u8]) -> Vec<Picture> {
    shots.iter().map(|shot| picture(*shot)).collect()
}

/// What nobody has ever seen there.
fn unseen(stale: bool) -> Option<BlobKey> {
    stale.then(|| BlobKey::of_digest([255; 32]))
}

/// The one that is meant; of none a made-up one.
fn nth<T: Copy>(all: &[T], which: u8, none: T) -> T {
    if all.is_empty() { none } else { all[usize::from(which) % all.len()] }
}

/// A piece without its pictures, and how its cover looks.
pub(super) fn cover_of(piece: &mut Piece) -> String {
    let pictures = piece.pictures();
    piece.pictures = None;
    let looks = match pictures.cover {
        Some(Cover::PhotoId(id)) => pictures.photo(id).map(|photo| photo.original).ok(),
        Some(Cover::ScanId(id)) => pictures.scan(id).map(|scan| scan.frames).ok(),
        None => None,
    };
    format!("{:?} {looks:?}", pictures.cover)
}

/// What becomes of pictures by what is tried with other things.
pub(super) fn kept(history: &History) -> Vec<(PieceId, Option<Pictures>)> {
    let collection = history.collection();
    let of = |id: &PieceId| collection.pieces.get(id).map(|piece| piece.pictures());
    history.slots.iter().map(|id| (*id, of(id))).collect()
}

pub(super) fn catalogue(history: &History, figure: FigureId) -> Photos {
    match history.streams.get(&StreamId::Figure(history.now_called(figure))).0 {
        State::Figure(state) => state.photos.clone(),
        _ => unreachable!(),
    }
}

/// The pictures that a figure has in the catalogue.
pub(super) fn originals(history: &History, figure: FigureId) -> BTreeSet<BlobKey> {
    catalogue(history, figure).all.iter().map(|photo| photo.picture.original).collect()
}

/// What holds at any time.
pub(super) fn check(history: &History) {
    let mut ids: HashSet<Uuid> = HashSet::new();
    for piece in history.collection().pieces.values() {
        let pictures = piece.pictures();
        let mut one_of_a_kind = |id: Uuid| assert!(ids.insert(id), "{id} is there twice");
        pictures.photos.iter().for_each(|photo| one_of_a_kind(photo.photo_id.uuid()));
        pictures.scans.iter().for_each(|scan| one_of_a_kind(scan.scan_id.uuid()));
        pictures.documents.iter().for_each(|document| one_of_a_kind(document.uuid()));
        let its_own = match pictures.cover {
            Some(Cover::PhotoId(id)) => pictures.photo(id).is_ok(),
            Some(Cover::ScanId(id)) => pictures.scan(id).is_ok(),
            None => true,
        };
        assert!(its_own, "a cover is one of the piece's own pictures: {pictures:?}");
    }
    for photos in (0..FIGURES).map(|n| catalogue(history, figure(n))) {
        let ids: HashSet<PhotoId> = photos.all.iter().map(|photo| photo.photo_id).collect();
        assert_eq!(ids.len(), photos.all.len(), "{photos:?}");
        assert!(photos.primary.is_none_or(|primary| ids.contains(&primary)), "{photos:?}");
    }
}

fn turned(mut ids: Vec<PhotoId>, by: u8) -> Vec<PhotoId> {
    let by = if ids.is_empty() { 0 } else { usize::from(by) % ids.len() };
    ids.rotate_left(by);
    ids
}

impl History {
    fn pictures_of(&self, slot: u8) -> Pictures {
        let piece = self.slots[usize::from(slot)];
        self.collection().pieces.get(&piece).map(|piece| piece.pictures()).unwrap_or_default()
    }

    fn photo_of(&self, slot: u8, which: u8) -> PhotoId {
        let ids: Vec<PhotoId> = self.pictures_of(slot).photos.iter().map(|photo| photo.photo_id).collect();
        nth(&ids, which, PhotoId(Uuid::nil()))
    }

    fn change(&self, slot: u8, change: C) -> ChangePictures {
        ChangePictures { user_id: ANNA, piece_id: self.slots[usize::from(slot)], change, shows_nsfw: true }
    }

    fn pin(&mut self, slot: u8, cover: Option<Cover>) -> bool {
        let piece_id = self.slots[usize::from(slot)];
        let pinned = self.state(&PinCover { user_id: ANNA, piece_id, expected: None, cover });
        assert!(!pinned || self.pictures_of(slot).cover == cover);
        pinned
    }

    /// Tries it; gives whether it was accepted.
    pub(super) fn picture(&mut self, tried: &Picturing) -> bool {
        use Picturing as P;
        let of_figure = |n: u8, change| ChangeFigurePhotos { figure_id: figure(n), change, shows_nsfw: true };
        let photo_in = |history: &Self, n: u8, which: u8| {
            let ids: Vec<PhotoId> =
                catalogue(history, figure(n)).all.iter().map(|photo| photo.photo_id).collect();
            nth(&ids, which, PhotoId(Uuid::nil()))
        };
        let scan_in = |history: &Self, slot: u8, which: u8| {
            let ids: Vec<_> = history.pictures_of(slot).scans.iter().map(|scan| scan.scan_id).collect();
            nth(&ids, which, domain::ids::ScanId(Uuid::nil()))
        };
        match tried.clone() {
            P::Upload { slot, shots } => {
                let before = self.pictures_of(slot).photos.len();
                let (piece_id, count) = (self.slots[usize::from(slot)], shots.len());
                let upload =
                    AddPhotos { user_id: ANNA, piece_id, pictures: pictures(&shots), shows_nsfw: true };
                let accepted = self.ask(&upload).is_some();
                assert!(!accepted || count > 0, "nothing was uploaded");
                assert_eq!(self.pictures_of(slot).photos.len(), before + if accepted { count } else { 0 });
                accepted
            }
            P::Order { slot, turned: by } => {
                let ids = self.pictures_of(slot).photos.iter().map(|photo| photo.photo_id).collect();
                let order = turned(ids, by);
                let accepted = self.state(&self.change(slot, C::OrderPhotos(order.clone())));
                let now: Vec<PhotoId> =
                    self.pictures_of(slot).photos.iter().map(|photo| photo.photo_id).collect();
                assert!(!accepted || now == order);
                accepted
            }
            P::Replace { slot, which, shot, stale } => {
                let (photo_id, before) = (self.photo_of(slot, which), self.pictures_of(slot));
                let replace = C::ReplacePhoto { photo_id, expected: unseen(stale), picture: picture(shot) };
                let accepted = self.state(&self.change(slot, replace));
                assert!(!(accepted && stale), "what was not seen was replaced");
                let ids = |pictures: &Pictures| -> Vec<PhotoId> {
                    pictures.photos.iter().map(|photo| photo.photo_id).collect()
                };
                assert_eq!(ids(&before), ids(&self.pictures_of(slot)), "replacing keeps the place");
                accepted
            }
            P::Remove { slot, which, stale } => {
                let photo_id = self.photo_of(slot, which);
                let remove = C::RemovePhoto { photo_id, expected: unseen(stale) };
                let accepted = self.ask(&self.change(slot, remove)).is_some();
                assert!(!accepted || (!stale && self.pictures_of(slot).photo(photo_id).is_err()));
                accepted
            }
            P::Share { slot, which, shared } => {
                let photo_id = self.photo_of(slot, which);
                self.state(&self.change(slot, C::SharePhoto { photo_id, shared }))
            }
            P::Scan { slot, frames } => {
                let (piece_id, count) = (self.slots[usize::from(slot)], frames.len());
                let frames = pictures(&frames);
                let scan = MakeScan { user_id: ANNA, piece_id, frames, shows_nsfw: true };
                let accepted = self.ask(&scan).is_some();
                assert!(!accepted || (1..=MOST_FRAMES).contains(&count));
                accepted
            }
            P::Reframe { slot, which, frames, stale } => {
                let (scan_id, count) = (scan_in(self, slot, which), frames.len());
                let change = C::ReplaceFrames { scan_id, expected: unseen(stale), frames: pictures(&frames) };
                let accepted = self.ask(&self.change(slot, change)).is_some();
                assert!(!accepted || (!stale && count > 0));
                accepted
            }
            P::RemoveScan { slot, which } => {
                let scan_id = scan_in(self, slot, which);
                self.ask(&self.change(slot, C::RemoveScan(scan_id))).is_some()
            }
            P::ShareScan { slot, which, shared } => {
                let scan_id = scan_in(self, slot, which);
                self.state(&self.change(slot, C::ShareScan { scan_id, shared }))
            }
            P::File { slot } => {
                let document = StoredDocument {
                    blob: picture(9).original,
                    media_type: DocumentType::Pdf,
                    bytes: 10,
                    name: Line::new("receipt.pdf").unwrap(),
                };
                let piece_id = self.slots[usize::from(slot)];
                self.ask(&AddDocument { user_id: ANNA, piece_id, document }).is_some()
            }
            P::Unfile { slot, which } => {
                let document_id =
                    nth(&self.pictures_of(slot).documents, which, domain::ids::DocumentId(Uuid::nil()));
                self.ask(&self.change(slot, C::RemoveDocument(document_id))).is_some()
            }
            P::PinPhoto { slot, which } => {
                let cover = Some(Cover::PhotoId(self.photo_of(slot, which)));
                self.pin(slot, cover)
            }
            P::PinScan { slot, which } => {
                let cover = Some(Cover::ScanId(scan_in(self, slot, which)));
                self.pin(slot, cover)
            }
            P::Unpin { slot } => self.pin(slot, None),
            P::PinAnother { slot, of, which } => {
                let photo = self.photo_of(of, which);
                let pinned = self.pin(slot, Some(Cover::PhotoId(photo)));
                assert!(!pinned || self.slots[usize::from(slot)] == self.slots[usize::from(of)]);
                pinned
            }
            P::Catalogue { figure: n, shots } => {
                let (figure_id, before) = (figure(n), catalogue(self, figure(n)).all.len());
                let upload = AddFigurePhotos { figure_id, pictures: pictures(&shots), shows_nsfw: true };
                let accepted = self.ask(&upload).is_some();
                let more = if accepted { shots.len() } else { 0 };
                assert_eq!(catalogue(self, figure(n)).all.len(), before + more);
                accepted
            }
            P::OrderCatalogue { figure: n, turned: by } => {
                let ids = catalogue(self, figure(n)).all.iter().map(|photo| photo.photo_id).collect();
                self.state(&of_figure(n, PhotoCommand::Order(turned(ids, by))))
            }
            P::ReplaceCatalogue { figure: n, which, shot } => {
                let photo_id = photo_in(self, n, which);
                let change = PhotoCommand::Replace { photo_id, expected: None, picture: picture(shot) };
                self.state(&of_figure(n, change))
            }
            P::RemoveCatalogue { figure: n, which } => {
                let photo_id = photo_in(self, n, which);
                self.ask(&of_figure(n, PhotoCommand::Remove { photo_id, expected: None })).is_some()
            }
            P::Primary { figure: n, which } => {
                let photo_id = photo_in(self, n, which);
                let accepted = self.state(&of_figure(n, PhotoCommand::MakePrimary(photo_id)));
                assert!(!accepted || catalogue(self, figure(n)).primary == Some(photo_id));
                accepted
            }
        }
    }
}
