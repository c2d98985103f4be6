//! Pieces, cabinets and wishes of one person.

use super::words::{CONDITIONS, CURRENCIES, ORIGINS, PLACES, REASONS, STORES};
use super::{Draft, Effect, Generator, is_live};
use rand::Rng;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

impl Generator {
    /// Price, shipping and currency; `deposit` too where there may be one.
    pub(super) fn cost(&mut self, body: &mut Map<String, Value>, deposit: bool) {
        if !self.chance(75) {
            return;
        }
        let currency = self.word(CURRENCIES);
        body.insert("price_currency".into(), json!(currency));
        let price = self.rng.random_range(40..=300);
        let cents = if currency == "JPY" { "00" } else { ".50" };
        body.insert("price_amount".into(), json!(format!("{price}{cents}")));
        if self.chance(40) {
            body.insert("shipping_amount".into(), json!(self.amount(currency, 30)));
        }
        if deposit && self.chance(60) {
            body.insert("deposit_amount".into(), json!(self.amount(currency, 39)));
        }
        if !deposit && self.chance(15) {
            body.insert("fees_amount".into(), json!(self.amount(currency, 30)));
        }
    }

    pub(super) fn add_piece(&mut self) -> Draft {
        let mut body = Map::new();
        body.insert("figure_id".into(), json!(self.figure()?));
        self.describe(&mut body);
        self.cost(&mut body, false);
        if self.chance(20) {
            let currency = self.word(CURRENCIES);
            body.insert("value_amount".into(), json!(self.amount(currency, 500)));
            body.insert("value_currency".into(), json!(currency));
        }
        Some(("add piece", Method::POST, "/api/me/owned".into(), Some(body.into()), Effect::Piece))
    }

    pub(super) fn describe(&mut self, body: &mut Map<String, Value>) {
        if self.chance(60) {
            body.insert("condition".into(), json!(self.word(CONDITIONS)));
        }
        if self.chance(50) {
            body.insert("location".into(), json!(self.word(PLACES)));
        }
        if self.chance(40) {
            body.insert("store".into(), json!(self.word(STORES)));
        }
        if self.chance(50) {
            body.insert("purchase_date".into(), json!(self.day(2019..=2026)));
        }
        if self.chance(20) {
            body.insert("notes".into(), json!(self.text()));
        }
        if self.chance(30) {
            body.insert("origin".into(), json!(self.word(ORIGINS)));
        }
    }

    pub(super) fn edit_piece(&mut self) -> Draft {
        let (id, _) = self.piece(|_| true)?;
        let mut body = Map::new();
        self.describe(&mut body);
        if self.chance(30) {
            self.cost(&mut body, false);
        }
        if self.chance(15) {
            let field = self.word(&["condition", "location", "store", "notes", "purchase_date"]);
            body.insert(field.into(), Value::Null);
        }
        Some(("edit piece", Method::PATCH, format!("/api/me/owned/{id}"), Some(body.into()), Effect::Piece))
    }

    pub(super) fn value_piece(&mut self) -> Draft {
        let (id, _) = self.piece(|_| true)?;
        let path = format!("/api/me/owned/{id}/value");
        if self.chance(30) {
            return Some(("clear value", Method::DELETE, path, None, Effect::Piece));
        }
        let currency = self.word(CURRENCIES);
        let body = json!({"value_amount": self.amount(currency, 900), "value_currency": currency});
        Some(("value piece", Method::PUT, path, Some(body), Effect::Piece))
    }

    pub(super) fn archive(&mut self) -> Draft {
        let (id, piece) = self.piece(|piece| !piece.archived)?;
        let reason = self.word(REASONS);
        let mut body = json!({"reason": reason});
        if let Some(fields) = body.as_object_mut() {
            if reason == "sold" && self.chance(70) {
                let currency = self.word(CURRENCIES);
                fields.insert("sold_amount".into(), json!(self.amount(currency, 200)));
                fields.insert("sold_currency".into(), json!(currency));
                fields.insert("sold_on".into(), json!(self.day(2024..=2026)));
            }
            if is_live(&piece) && self.chance(80) {
                fields.insert("refund_amount".into(), json!("0"));
            }
        }
        let path = format!("/api/me/owned/{id}/archive");
        Some(("archive piece", Method::POST, path, Some(body), Effect::Piece))
    }

    pub(super) fn restore(&mut self) -> Draft {
        let (id, _) = self.piece(|piece| piece.archived)?;
        Some(("restore piece", Method::POST, format!("/api/me/owned/{id}/restore"), None, Effect::Piece))
    }

    pub(super) fn delete(&mut self) -> Draft {
        let (id, piece) = self.piece(|_| true)?;
        let refund = match piece.paid {
            Some(ref paid) if is_live(&piece) => format!("?refund_amount={paid}"),
            _ => String::new(),
        };
        let path = format!("/api/me/owned/{id}{refund}");
        Some(("delete piece", Method::DELETE, path, None, Effect::PieceGone(id)))
    }

    pub(super) fn bulk(&mut self) -> Draft {
        let path = "/api/me/owned/bulk".to_owned();
        match self.rng.random_range(0..6) {
            0 => {
                let ids = self.pieces(|piece| !piece.archived && !is_live(piece));
                let body = json!({"ids": &ids, "archive": {"reason": self.word(REASONS)}});
                Some(("bulk archive", Method::POST, path, Some(body), Effect::Archived(ids)))
            }
            1 => {
                let ids = self.pieces(|piece| piece.archived && !is_live(piece));
                let body = json!({"ids": &ids, "delete": true});
                Some(("bulk delete", Method::POST, path, Some(body), Effect::Deleted(ids)))
            }
            _ => {
                let ids = self.pieces(|_| true);
                let place = if self.chance(20) { Value::Null } else { json!(self.word(PLACES)) };
                let mut body = json!({"ids": ids, "set_location": place});
                if let Some(fields) = body.as_object_mut()
                    && self.chance(40)
                {
                    fields.insert("set_condition".into(), json!(self.word(CONDITIONS)));
                }
                Some(("bulk edit", Method::POST, path, Some(body), Effect::None))
            }
        }
    }

    pub(super) fn arrange(&mut self) -> Draft {
        let items: Vec<Value> = self
            .pieces(|_| true)
            .into_iter()
            .map(|id| {
                let place = if self.chance(20) { Value::Null } else { json!(self.word(PLACES)) };
                json!({"id": id, "location": place, "sort_order": self.rng.random_range(-5..50)})
            })
            .collect();
        let body = json!({"items": items});
        Some(("arrange pieces", Method::PUT, "/api/me/owned/arrange".into(), Some(body), Effect::None))
    }

    pub(super) fn cabinet(&mut self) -> Draft {
        let own: Vec<Uuid> = self.model.cabinets.iter().copied().collect();
        let name = if self.chance(60) {
            self.word(PLACES).to_owned()
        } else {
            format!("{} {}", self.word(PLACES), self.rng.random_range(0..20))
        };
        let path = "/api/me/locations".to_owned();
        match self.rng.random_range(0..6) {
            0..3 => Some(("make cabinet", Method::POST, path, Some(json!({"name": name})), Effect::Cabinet)),
            3 => {
                let id = self.pick(&own)?;
                let body = Some(json!({"name": name}));
                Some(("rename cabinet", Method::PATCH, format!("{path}/{id}"), body, Effect::Cabinet))
            }
            4 => {
                let id = self.pick(&own)?;
                Some((
                    "delete cabinet",
                    Method::DELETE,
                    format!("{path}/{id}"),
                    None,
                    Effect::CabinetGone(id),
                ))
            }
            _ => {
                let mut ids = own;
                let turn = self.rng.random_range(0..ids.len().max(1));
                ids.rotate_left(turn);
                let body = Some(json!({"ids": ids}));
                Some(("order cabinets", Method::PUT, format!("{path}/order"), body, Effect::None))
            }
        }
    }

    pub(super) fn wish(&mut self) -> Draft {
        let id = self.figure()?;
        let mut body = Map::new();
        if self.chance(60) {
            let currency = self.word(CURRENCIES);
            body.insert("max_price_amount".into(), json!(self.amount(currency, 200)));
            body.insert("max_price_currency".into(), json!(currency));
        }
        if self.chance(30) {
            body.insert("note".into(), json!(self.text()));
        }
        let path = format!("/api/me/wishlist/{id}");
        Some(("wish", Method::PUT, path, Some(body.into()), Effect::Wished(id)))
    }

    pub(super) fn wished(&mut self) -> Option<Uuid> {
        let all: Vec<Uuid> = self.model.wishes.iter().copied().collect();
        self.pick(&all)
    }

    pub(super) fn unwish(&mut self) -> Draft {
        let id = self.wished()?;
        Some(("unwish", Method::DELETE, format!("/api/me/wishlist/{id}"), None, Effect::Unwished(id)))
    }

    pub(super) fn acquire(&mut self) -> Draft {
        let id = self.wished()?;
        let mut body = Map::new();
        self.describe(&mut body);
        self.cost(&mut body, true);
        if self.chance(50) {
            body.insert("release_date".into(), json!(self.release()));
        }
        let path = format!("/api/me/wishlist/{id}/acquire");
        Some(("acquire", Method::POST, path, Some(body.into()), Effect::Acquired(id)))
    }
}
