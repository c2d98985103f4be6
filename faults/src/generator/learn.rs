//! What the answers tell of what somebody has.

use super::words::KINDS;
use super::{Answer, Effect, Generator, Request, id_of, text_of};
use serde_json::Value;

impl Generator {
    /// Takes note of the answer to the latest request.
    pub fn learn(&mut self, request: &Request, answer: &Answer) {
        if !answer.is_accepted() {
            return;
        }
        let body = &answer.body;
        match &request.effect {
            // What is written in place is learnt elsewhere: see `learn_in_place`.
            Effect::None
            | Effect::Zone(_)
            | Effect::Key
            | Effect::KeyGone(_)
            | Effect::Shared(_)
            | Effect::ReadAll => {}
            Effect::Figure => {
                if let Some(id) = id_of(body) {
                    if request.kind == "catalogue figure" {
                        self.model.figures.push(id);
                    }
                    self.catalogue_now(|c| c.figures.insert(id));
                }
                self.see_entities(body);
            }
            Effect::Entity => {}
            Effect::Piece => self.see_piece(answer),
            Effect::Acquired(figure) => {
                self.model.wishes.remove(figure);
                self.see_piece(answer);
            }
            Effect::Preorder => self.see_preorder(answer),
            Effect::PieceGone(id) => {
                self.model.pieces.remove(id);
            }
            Effect::Archived(ids) => {
                for id in ids {
                    if let Some(piece) = self.model.pieces.get_mut(id) {
                        piece.archived = true;
                        piece.etag = None;
                    }
                }
            }
            Effect::Deleted(ids) => self.model.pieces.retain(|id, _| !ids.contains(id)),
            Effect::Wished(figure) => {
                self.model.wishes.insert(*figure);
            }
            Effect::Unwished(figure) => {
                self.model.wishes.remove(figure);
            }
            Effect::Cabinet => self.model.cabinets.extend(id_of(body)),
            Effect::CabinetGone(id) => {
                self.model.cabinets.remove(id);
            }
        }
    }

    fn see_entities(&self, figure: &Value) {
        self.catalogue_now(|catalogue| {
            for (kind, field) in KINDS {
                let shown = figure.get(field).unwrap_or(&Value::Null);
                let one = id_of(shown);
                let many = shown.as_array().into_iter().flatten().filter_map(id_of);
                catalogue.entities.entry(kind).or_default().extend(one.into_iter().chain(many));
            }
        });
    }

    fn see_piece(&mut self, answer: &Answer) {
        let body = &answer.body;
        let Some(id) = id_of(body) else { return };
        self.see_entities(body);
        let piece = self.model.pieces.entry(id).or_default();
        piece.archived = !body["archived_at"].is_null();
        piece.etag = answer.etag.clone();
        piece.preorder = id_of(&body["preorder"]).map(|id| (id, text_of(&body["preorder"]["status"])));
    }

    fn see_preorder(&mut self, answer: &Answer) {
        let body = &answer.body;
        let (Some(id), Some(piece_id)) = (id_of(body), id_of(&body["owned_item"])) else { return };
        self.see_entities(body);
        let piece = self.model.pieces.entry(piece_id).or_default();
        piece.archived = !body["owned_item"]["archived_at"].is_null();
        piece.etag = answer.etag.clone();
        piece.preorder = Some((id, text_of(&body["status"])));
        piece.paid = body["paid_amount"].as_str().map(str::to_owned);
    }
}
