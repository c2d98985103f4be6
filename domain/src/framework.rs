//! The aggregates as `cqrs_es` knows them: thin adapters over `decide` and `apply`.

use crate::claim::{Claim, ClaimCommand, ClaimEvent};
use crate::collection::{Collection, CollectionCommand, CollectionEvent};
use crate::entity::{Entity, EntityCommand, EntityEvent};
use crate::figure::{Figure, FigureCommand, FigureEvent};
use crate::preorder::{Preorder, PreorderCommand, PreorderEvent};
use crate::refusal::Refusal;
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

macro_rules! aggregate {
    ($state:ty, $command:ty, $event:ty, $name:literal) => {
        impl Aggregate for $state {
            const TYPE: &'static str = $name;
            type Command = $command;
            type Event = $event;
            type Error = Refusal;
            type Services = ();

            // The sink applies each event as it is written, so this function must not.
            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &Self::Services,
                sink: &EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                Self::apply(self, &event);
            }
        }
    };
}

aggregate!(Collection, CollectionCommand, CollectionEvent, "collection");
aggregate!(Preorder, PreorderCommand, PreorderEvent, "preorder");
aggregate!(Figure, FigureCommand, FigureEvent, "figure");
aggregate!(Entity, EntityCommand, EntityEvent, "entity");
aggregate!(Claim, ClaimCommand, ClaimEvent, "claim");
