//! Pre-orders and their steps, and what has to be refused.

use super::words::{CONDITIONS, PLACES, SHIPPED, SOURCES, STEPS, STORES};
use super::{Draft, Effect, Generator, NONSENSE, Piece, has_status, is_live};
use rand::Rng;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

impl Generator {
    pub(super) fn place(&mut self) -> Draft {
        let mut body = Map::new();
        body.insert("figure_id".into(), json!(self.figure()?));
        self.order(&mut body);
        if self.chance(30) {
            body.insert("location".into(), json!(self.word(PLACES)));
        }
        Some((
            "place pre-order",
            Method::POST,
            "/api/me/preorders".into(),
            Some(body.into()),
            Effect::Preorder,
        ))
    }

    pub(super) fn order(&mut self, body: &mut Map<String, Value>) {
        self.cost(body, true);
        if self.chance(60) {
            body.insert("release_date".into(), json!(self.release()));
        }
        if self.chance(50) {
            body.insert("store".into(), json!(self.word(STORES)));
        }
        if self.chance(40) {
            body.insert("status".into(), json!(self.word(STEPS.get(..SHIPPED).unwrap_or_default())));
        }
        if self.chance(20) {
            body.insert("tracking_url".into(), json!(format!("https://parcels.example/{}", self.sent)));
        }
    }

    /// A pre-order of a piece, with its status.
    pub(super) fn preorder(&mut self, wanted: impl Fn(&Piece) -> bool) -> Option<(Uuid, String)> {
        self.piece(|piece| piece.preorder.is_some() && wanted(piece))?.1.preorder
    }

    pub(super) fn step(&mut self) -> Draft {
        let (id, status) = self.preorder(|piece| has_status(piece, |status| status != "cancelled"))?;
        let at = STEPS.iter().position(|step| *step == status).unwrap_or_default();
        let path = format!("/api/me/preorders/{id}");
        if at < SHIPPED && self.chance(25) {
            let mut body = Map::new();
            if self.chance(50) {
                body.insert("shipped_at".into(), json!(self.day(2025..=2026)));
            }
            if self.chance(50) {
                body.insert("estimated_delivery_days".into(), json!(self.rng.random_range(1..40)));
            }
            return Some(("ship", Method::POST, format!("{path}/ship"), Some(body.into()), Effect::Preorder));
        }
        if at <= SHIPPED && self.chance(if at == SHIPPED { 60 } else { 15 }) {
            let mut body = Map::new();
            if self.chance(60) {
                body.insert("condition".into(), json!(self.word(CONDITIONS)));
            }
            if self.chance(40) {
                body.insert("received_at".into(), json!(self.day(2026..=2026)));
            }
            let path = format!("{path}/receive");
            return Some(("receive", Method::POST, path, Some(body.into()), Effect::Preorder));
        }
        let forwards = self.chance(75);
        let to = if forwards { STEPS.get(at..) } else { STEPS.get(..=at) }.unwrap_or_default();
        let body = json!({"status": self.word(to)});
        Some(("set status", Method::POST, format!("{path}/status"), Some(body), Effect::Preorder))
    }

    pub(super) fn slip(&mut self) -> Draft {
        let (id, _) = self.preorder(is_live)?;
        let mut body = json!({"new_date": self.release(), "source": self.word(SOURCES)});
        if let Some(fields) = body.as_object_mut()
            && self.chance(30)
        {
            fields.insert("note".into(), json!(self.text()));
        }
        Some(("slip", Method::POST, format!("/api/me/preorders/{id}/slip"), Some(body), Effect::Preorder))
    }

    pub(super) fn edit_preorder(&mut self) -> Draft {
        let (id, _) = self.preorder(|piece| has_status(piece, |status| status != "cancelled"))?;
        let mut body = Map::new();
        match self.rng.random_range(0..4) {
            0 => {
                body.insert("balance_paid".into(), json!(self.chance(70)));
            }
            1 => self.cost(&mut body, true),
            2 => {
                body.insert("store".into(), json!(self.word(STORES)));
                body.insert("tracking_url".into(), Value::Null);
            }
            _ => {
                body.insert("estimated_delivery_days".into(), json!(self.rng.random_range(1..40)));
            }
        }
        let path = format!("/api/me/preorders/{id}");
        Some(("edit pre-order", Method::PATCH, path, Some(body.into()), Effect::Preorder))
    }

    pub(super) fn cancel(&mut self) -> Draft {
        let (piece_id, piece) = self.piece(is_live)?;
        let (id, _) = piece.preorder?;
        let path = format!("/api/me/preorders/{id}/cancel");
        if self.chance(40) {
            let refund = piece.paid.unwrap_or_else(|| "0".to_owned());
            let body = json!({"refund_amount": refund, "item": "delete"});
            return Some(("cancel and delete", Method::POST, path, Some(body), Effect::PieceGone(piece_id)));
        }
        Some(("cancel", Method::POST, path, Some(json!({"refund_amount": "0"})), Effect::Preorder))
    }

    pub(super) fn replace(&mut self) -> Draft {
        let (id, _) =
            self.preorder(|piece| !piece.archived && has_status(piece, |status| status == "cancelled"))?;
        let mut body = Map::new();
        self.order(&mut body);
        let path = format!("/api/me/preorders/{id}/replace");
        Some(("replace", Method::POST, path, Some(body.into()), Effect::Preorder))
    }

    /// Something that has to be refused.
    pub(super) fn nonsense(&mut self) -> Draft {
        let unknown = Uuid::from_u128(self.rng.random());
        let figure = self.figure()?;
        let owned = "/api/me/owned".to_owned();
        let (method, path, body) = match self.rng.random_range(0..9) {
            0 => (Method::POST, owned, json!({"figure_id": unknown})),
            1 => (
                Method::POST,
                owned,
                json!({"figure_id": figure, "price_amount": "1.234", "price_currency": "EUR"}),
            ),
            2 => (
                Method::POST,
                owned,
                json!({"figure_id": figure, "price_amount": "10", "price_currency": "BTC"}),
            ),
            3 => (Method::PATCH, format!("{owned}/{unknown}"), json!({"notes": "not mine"})),
            4 => {
                let body = json!({
                    "figure_id": figure, "price_amount": "10", "price_currency": "EUR", "deposit_amount": "11"
                });
                (Method::POST, "/api/me/preorders".to_owned(), body)
            }
            5 => (Method::POST, "/api/figures".to_owned(), json!({"name": "Mina", "jan": "4580590123450"})),
            6 => (
                Method::POST,
                "/api/figures".to_owned(),
                json!({"name": "\u{1f980}\u{1f980}", "figure_type": "crab"}),
            ),
            7 => (Method::DELETE, format!("/api/me/wishlist/{unknown}"), Value::Null),
            _ => (Method::POST, format!("{owned}/bulk"), json!({"ids": [unknown], "delete": true})),
        };
        let body = Some(body).filter(|body| !body.is_null());
        Some((NONSENSE, method, path, body, Effect::None))
    }
}
