//! Many different commands as one: all of them in one append, or none.

use domain::commands::{
    AddPiece, ArchivePieces, CancelPreorder, ChangeCabinets, EditPreorder, PlacePreorder, SetWish,
    SlipRelease, StepPreorder, ValuePiece,
};
use domain::ids::UserId;
use domain::stream::Version;
use domain::world::{Command, Stop, World};

/// One thing a collector does.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Cabinet(ChangeCabinets),
    Add(Box<AddPiece>),
    Value(ValuePiece),
    Archive(Box<ArchivePieces>),
    Place(Box<PlacePreorder>),
    Edit(Box<EditPreorder>),
    Slip(Box<SlipRelease>),
    Go(Box<StepPreorder>),
    Cancel(CancelPreorder),
    Wish(Box<SetWish>),
}

/// Fill a collection that has no history.
#[derive(Debug, Clone)]
pub(super) struct FillCollection {
    pub user_id: UserId,
    pub steps: Vec<Step>,
}

impl Command for FillCollection {
    /// Whether it was filled.
    type Answer = bool;
    const NAME: &'static str = "fill_demo_collection";

    fn decide(&self, world: &mut World) -> Result<bool, Stop> {
        if world.collection(self.user_id)?.version != Version::NONE {
            return Ok(false);
        }
        for step in &self.steps {
            match step {
                Step::Cabinet(command) => command.decide(world).map(drop)?,
                Step::Add(command) => command.decide(world).map(drop)?,
                Step::Value(command) => command.decide(world).map(drop)?,
                Step::Archive(command) => command.decide(world)?,
                Step::Place(command) => command.decide(world).map(drop)?,
                Step::Edit(command) => command.decide(world).map(drop)?,
                Step::Slip(command) => command.decide(world).map(drop)?,
                Step::Go(command) => command.decide(world).map(drop)?,
                Step::Cancel(command) => command.decide(world).map(drop)?,
                Step::Wish(command) => command.decide(world).map(drop)?,
            }
        }
        Ok(true)
    }
}
