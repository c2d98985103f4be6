//! Nothing is done any more to what was an erased person's.

use crate::harness::*;
use domain::collection::{ArchiveReason, Collection, CollectionCommand, CollectionEvent as E};
use domain::commands::{
    AddPiece, ArchivePieces, CancelPreorder, DeletePieces, PieceFields, SetWish, SlipRelease, StepPreorder,
    Steps, Unwish, ValuePiece,
};
use domain::preorder::{PreorderEvent as P, SlipSource, Status};
use domain::refusal::Code;
use domain::stream::Version;

fn erased() -> Given {
    given([
        figure(LANTERN),
        figure(TEAPOT),
        preorder(),
        piece(P2, TEAPOT),
        cabinet(C1, "Attic"),
        vec![coll(E::PersonErased {})],
    ])
}

pub fn refusals() -> Vec<Case> {
    let world = erased();
    let gone = Code::PersonErased;
    let fields = PieceFields::default();
    let add = AddPiece { user_id: ANNA, piece_id: P3, figure_id: LANTERN, fields };
    let wish = SetWish { user_id: ANNA, figure_id: COMET, expected: None, target: None, note: None };
    let unwish = Unwish { user_id: ANNA, figure_id: COMET, expected: None };
    let value = ValuePiece { user_id: ANNA, piece_id: P2, expected: None, value: None };
    let archive = ArchivePieces {
        user_id: ANNA,
        piece_ids: vec![P2],
        expected: None,
        reason: ArchiveReason::Lost,
        sale: None,
        refund: None,
    };
    let delete = DeletePieces { user_id: ANNA, piece_ids: vec![P1], expected: None, refund: None };
    let advance =
        StepPreorder { user_id: ANNA, piece_id: P1, expected: None, step: Steps::To(Status::Released) };
    let slip = SlipRelease {
        user_id: ANNA,
        piece_id: P1,
        expected: None,
        release: on_day("2027-11-20"),
        source: SlipSource::User,
        note: None,
    };
    let cancel =
        CancelPreorder { user_id: ANNA, piece_id: P1, expected: None, refund: amount("0"), fate: None };
    vec![
        world.when(add).refuses(gone, None, "adding a piece"),
        given([figure(COMET), vec![coll(E::PersonErased {})]]).when(wish).refuses(gone, None, "wishing"),
        given([figure(COMET), vec![coll(E::PersonErased {})]]).when(unwish).refuses(gone, None, "unwishing"),
        world.when(value).refuses(gone, None, "valuing a piece"),
        world.when(archive).refuses(gone, None, "archiving a piece"),
        world.when(delete).refuses(gone, None, "deleting a piece"),
        world.when(advance).refuses(gone, None, "advancing a pre-order"),
        world.when(slip).refuses(gone, None, "a slip of a pre-order"),
        world.when(cancel).refuses(gone, None, "cancelling a pre-order"),
    ]
}

#[test]
fn every_command_on_an_erased_persons_things_is_refused() {
    check(&refusals());
}

#[test]
fn an_erased_collection_holds_nothing_whether_or_not_its_events_are_blank() {
    let state = erased().collection();
    let nothing = Collection { erased: true, version: state.version, ..Collection::default() };
    assert_eq!(*state, nothing);
    let mut blank = Collection::default();
    for _ in 1..state.version.0 {
        blank.apply(&E::Erased {});
    }
    blank.apply(&E::PersonErased {});
    assert_eq!(blank, nothing);
    let refused = blank.decide(CollectionCommand::Unwish {
        same_figure: vec![LANTERN],
        reason: domain::collection::UnwishReason::Removed,
    });
    assert_eq!(refused.unwrap_err().code, Code::PersonErased);
}

#[test]
fn a_preorder_whose_events_are_blank_counts_them_and_holds_nothing() {
    let state = given([vec![pre(P1, P::Erased {}), pre(P1, P::Erased {})]]).preorder(P1);
    assert_eq!((state.version, &state.chapter, state.owner), (Version(2), &None, None));
}

#[test]
fn other_people_go_on() {
    let fields = PieceFields::default();
    erased().by(BEN).done(AddPiece { user_id: BEN, piece_id: P3, figure_id: LANTERN, fields });
}
