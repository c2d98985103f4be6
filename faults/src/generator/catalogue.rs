//! Figures and entities, which are everybody's.

use super::words::{CHARACTERS, CURRENCIES, KINDS, MAKERS, SERIES, STORES, TYPES};
use super::{Draft, Effect, Generator, Role};
use rand::Rng;
use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

impl Generator {
    pub(super) fn catalogue(&mut self) -> Draft {
        let n: u32 = self.rng.random();
        let mut body = Map::new();
        body.insert("name".into(), json!(format!("{} {n}", self.word(CHARACTERS))));
        body.insert("figure_type".into(), json!(self.word(TYPES)));
        self.credits(&mut body);
        for (field, chance) in [("scale", 40), ("version_name", 20), ("edition", 10), ("materials", 20)] {
            if self.chance(chance) {
                body.insert(field.into(), json!(format!("1/{}", self.rng.random_range(4..12))));
            }
        }
        if self.chance(60) {
            body.insert("release_date".into(), json!(self.release()));
        }
        if self.chance(50) {
            let currency = self.word(CURRENCIES);
            body.insert("msrp_amount".into(), json!(self.amount(currency, 300)));
            body.insert("msrp_currency".into(), json!(currency));
        }
        if self.chance(40) {
            body.insert("jan".into(), json!(self.jan()));
        }
        if self.chance(20) {
            body.insert("mfc_id".into(), json!(self.rng.random_range(1..1_000_000)));
        }
        if self.chance(25) {
            body.insert(
                "buy_links".into(),
                json!([{"store": self.word(STORES), "path": format!("/item/{n}")}]),
            );
        }
        body.insert("is_nsfw".into(), json!(self.chance(8)));
        Some(("catalogue figure", Method::POST, "/api/figures".into(), Some(body.into()), Effect::Figure))
    }

    pub(super) fn credits(&mut self, body: &mut Map<String, Value>) {
        if self.chance(70) {
            body.insert("manufacturer".into(), json!(self.word(MAKERS)));
        }
        if self.chance(30) {
            body.insert("sculptor".into(), json!(self.word(CHARACTERS)));
        }
        if self.chance(60) {
            let series: Vec<&str> = (0..self.rng.random_range(1..=2)).map(|_| self.word(SERIES)).collect();
            body.insert("series".into(), json!(series));
        }
        if self.chance(60) {
            let characters: Vec<&str> =
                (0..self.rng.random_range(1..=3)).map(|_| self.word(CHARACTERS)).collect();
            body.insert("characters".into(), json!(characters));
        }
    }

    pub(super) fn jan(&mut self) -> String {
        // Few enough to meet now and then.
        let digits = format!("45805901{:04}", self.rng.random_range(0..2_000));
        let sum: u32 = digits
            .bytes()
            .rev()
            .zip([3_u32, 1].into_iter().cycle())
            .map(|(b, w)| u32::from(b - b'0') * w)
            .sum();
        format!("{digits}{}", (10 - sum % 10) % 10)
    }

    pub(super) fn edit_figure(&mut self) -> Draft {
        let id = if self.role == Role::Admin {
            self.figure()?
        } else {
            let own = self.model.figures.clone();
            self.pick(&own)?
        };
        let mut body = Map::new();
        match self.rng.random_range(0..7) {
            0 => {
                body.insert("name".into(), json!(format!("{} again {}", self.word(CHARACTERS), self.sent)));
            }
            1 => {
                body.insert("release_date".into(), json!(self.release()));
            }
            2 => self.credits(&mut body),
            3 => {
                body.insert("is_nsfw".into(), json!(self.chance(50)));
            }
            4 => {
                let currency = self.word(CURRENCIES);
                body.insert("msrp_amount".into(), json!(self.amount(currency, 300)));
                body.insert("msrp_currency".into(), json!(currency));
            }
            5 => {
                let jan = if self.chance(30) { Value::Null } else { json!(self.jan()) };
                body.insert("jan".into(), jan);
            }
            _ => {
                body.insert("figure_type".into(), json!(self.word(TYPES)));
                body.insert("description".into(), json!(self.text()));
            }
        }
        Some(("edit figure", Method::PATCH, format!("/api/figures/{id}"), Some(body.into()), Effect::Figure))
    }

    pub(super) fn entity(&mut self) -> Option<(&'static str, Uuid)> {
        let kind = self.pick(KINDS)?.0;
        let all: Vec<Uuid> = self.catalogue_now(|c| {
            c.entities.get(kind).map(|all| all.iter().copied().collect()).unwrap_or_default()
        });
        Some((kind, self.pick(&all)?))
    }

    pub(super) fn rename_entity(&mut self) -> Draft {
        let (kind, id) = self.entity()?;
        let body = if kind == "series" && self.chance(40) {
            json!({"mal_id": self.rng.random_range(1..100_000)})
        } else {
            json!({"name": format!("{} {}", self.word(MAKERS), self.rng.random_range(0..1_000))})
        };
        Some(("rename entity", Method::PATCH, format!("/api/{kind}/{id}"), Some(body), Effect::Entity))
    }

    pub(super) fn merge_figures(&mut self) -> Draft {
        let (loser, winner) = (self.figure()?, self.figure()?);
        let body = json!({"into": winner.to_string()});
        Some((
            "merge figures",
            Method::POST,
            format!("/api/figures/{loser}/merge"),
            Some(body),
            Effect::Figure,
        ))
    }

    pub(super) fn merge_entities(&mut self) -> Draft {
        let (kind, loser) = self.entity()?;
        let all: Vec<Uuid> = self.catalogue_now(|c| {
            c.entities.get(kind).map(|all| all.iter().copied().collect()).unwrap_or_default()
        });
        let body = json!({"into": self.pick(&all)?.to_string()});
        Some((
            "merge entities",
            Method::POST,
            format!("/api/{kind}/{loser}/merge"),
            Some(body),
            Effect::Entity,
        ))
    }
}
