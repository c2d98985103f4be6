//! Several commands of one kind as one: all or nothing, one append. Imports use it for their chunks.

use crate::world::{Command, Stop, World};

/// Several commands, decided in order; each sees what the ones before it staged.
#[derive(Debug, Clone, PartialEq)]
pub struct Many<C>(pub Vec<C>);

impl<C: Command> Command for Many<C> {
    type Answer = Vec<C::Answer>;
    const NAME: &'static str = C::NAME;

    fn decide(&self, world: &mut World) -> Result<Self::Answer, Stop> {
        self.0.iter().map(|command| command.decide(world)).collect()
    }
}
