//! What the clients ask for: small commands on few streams, so that they meet.

use domain::claim::{ClaimCode, ClaimCommand, Holder};
use domain::collection::{CollectionCommand, UnwishReason};
use domain::ids::{CabinetId, FigureId, UserId};
use domain::money::{Amount, Currency, Money};
use domain::refusal::{Code, Refusal};
use domain::stream::Version;
use domain::text::Location;
use domain::world::{Command, Stop, World};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq)]
pub enum Do {
    Wish {
        owner: UserId,
        figure: FigureId,
        target: Option<u32>,
    },
    /// Only if the wish is at the version that was seen last.
    WishIf {
        owner: UserId,
        figure: FigureId,
        seen: Version,
    },
    Unwish {
        owner: UserId,
        figure: FigureId,
    },
    CreateCabinet {
        owner: UserId,
        name: &'static str,
    },
    DeleteCabinet {
        owner: UserId,
        name: &'static str,
    },
    /// Two streams, all or nothing.
    HandOver {
        from: UserId,
        to: UserId,
        figure: FigureId,
    },
    Claim {
        code: ClaimCode,
        figure: FigureId,
    },
    /// The database refuses it: too long for an index.
    TooLong {
        noise: Arc<str>,
    },
    /// Changes nothing, and its answer says what it saw.
    Look {
        owners: [UserId; 2],
    },
}

impl Command for Do {
    type Answer = Value;
    const NAME: &'static str = "simulated";

    fn decide(&self, world: &mut World) -> Result<Value, Stop> {
        match self {
            Self::Wish { owner, figure, target } => {
                wish(world, *owner, *figure, *target)?;
                Ok(json!({ "wishes": world.collection(*owner)?.wishes.len() }))
            }
            Self::WishIf { owner, figure, seen } => {
                let now = world.collection(*owner)?.wishes.get(figure).map_or(Version::NONE, |w| w.version);
                if now != *seen {
                    return Err(Refusal::new(Code::Stale, "it has changed").into());
                }
                wish(world, *owner, *figure, Some(u32::try_from(now.0 + 7).unwrap_or(1)))?;
                Ok(json!({ "was": now }))
            }
            Self::Unwish { owner, figure } => {
                world.tell_collection(*owner, unwish(*figure))?;
                Ok(json!({ "left": world.collection(*owner)?.wishes.len() }))
            }
            Self::CreateCabinet { owner, name } => {
                let cabinet_id = CabinetId(world.new_id());
                let name = Location::new(name).unwrap();
                world.tell_collection(*owner, CollectionCommand::CreateCabinet { cabinet_id, name })?;
                Ok(json!(cabinet_id))
            }
            Self::DeleteCabinet { owner, name } => {
                let collection = world.collection(*owner)?;
                let found = collection.cabinets.iter().find(|(_, c)| c.name.as_str() == *name);
                let Some((cabinet_id, _)) = found else {
                    return Err(Refusal::new(Code::CabinetNotFound, "there is none").into());
                };
                let cabinet_id = *cabinet_id;
                world.tell_collection(*owner, CollectionCommand::DeleteCabinet { cabinet_id })?;
                Ok(json!(cabinet_id))
            }
            Self::HandOver { from, to, figure } => {
                world.tell_collection(*from, unwish(*figure))?;
                wish(world, *to, *figure, None)?;
                let left = world.collection(*from)?.wishes.len();
                Ok(json!([left, world.collection(*to)?.wishes.len()]))
            }
            Self::Claim { code, figure } => {
                let holder = Holder::Figure(*figure);
                world.tell_claim(code, ClaimCommand::Take { code: code.clone(), holder })?;
                Ok(Value::Null)
            }
            Self::TooLong { noise } => {
                let code = ClaimCode::import("noise", noise);
                let holder = Holder::Figure(FigureId(world.new_id()));
                world.tell_claim(&code, ClaimCommand::Take { code: code.clone(), holder })?;
                Ok(Value::Null)
            }
            Self::Look { owners } => {
                let mut seen = Vec::new();
                for owner in owners {
                    let collection = world.collection(*owner)?;
                    seen.push(json!([
                        collection.version,
                        collection.wishes.len(),
                        collection.cabinets.len()
                    ]));
                }
                Ok(Value::Array(seen))
            }
        }
    }
}

fn wish(world: &mut World, owner: UserId, figure: FigureId, target: Option<u32>) -> Result<(), Stop> {
    let target = target
        .map(|t| Money::new(Amount::new(t.into()).unwrap(), "JPY".parse::<Currency>().unwrap()).unwrap());
    let wish = CollectionCommand::Wish { figure_id: figure, same_figure: vec![figure], target, note: None };
    world.tell_collection(owner, wish)
}

fn unwish(figure: FigureId) -> CollectionCommand {
    CollectionCommand::Unwish { same_figure: vec![figure], reason: UnwishReason::Removed }
}

/// The few things that one schedule is about.
#[derive(Debug, Clone)]
pub struct Things {
    pub owners: [UserId; 2],
    pub figures: [FigureId; 3],
    pub actors: Vec<UserId>,
    codes: [ClaimCode; 2],
}

impl Things {
    pub fn new(seed: u64, random: &mut StdRng) -> Self {
        let mut id = || Uuid::from_u128(random.random());
        Self {
            owners: [UserId(id()), UserId(id())],
            figures: [FigureId(id()), FigureId(id()), FigureId(id())],
            actors: (0..3).map(|_| UserId(id())).collect(),
            codes: [
                ClaimCode::import("sim", &format!("{seed}-a")),
                ClaimCode::import("sim", &format!("{seed}-b")),
            ],
        }
    }

    pub fn command(&self, random: &mut StdRng) -> Do {
        let owner = self.owners[usize::from(random.random_bool(0.25))];
        let figure = self.figures[random.random_range(0..self.figures.len())];
        let name = ["Shelf", "Case"][random.random_range(0..2_usize)];
        match random.random_range(0..100) {
            0..20 => {
                Do::Wish { owner, figure, target: random.random_bool(0.4).then(|| random.random_range(1..4)) }
            }
            20..32 => Do::WishIf { owner, figure, seen: Version(random.random_range(0..5)) },
            32..47 => Do::Unwish { owner, figure },
            47..60 => Do::CreateCabinet { owner, name },
            60..70 => Do::DeleteCabinet { owner, name },
            70..80 => {
                let [one, two] = self.owners;
                let (from, to) = if random.random() { (one, two) } else { (two, one) };
                Do::HandOver { from, to, figure }
            }
            80..87 => Do::Claim { code: self.codes[random.random_range(0..2_usize)].clone(), figure },
            87..90 => {
                let noise: String = (0..400).map(|_| format!("{:032x}", random.random::<u128>())).collect();
                Do::TooLong { noise: noise.into() }
            }
            _ => Do::Look { owners: self.owners },
        }
    }
}
