//! Rows that lead to others, for the tests of tables.

use super::Table;
use crate::engine::rows::row;
use uuid::Uuid;

row! {
    pub(super) struct LinkRow in "links", key(id: Uuid), index(parent) { parent: Option<Uuid>, label: String }
}

pub(super) fn link(id: u128, parent: u128, label: &str) -> LinkRow {
    LinkRow { id: Uuid::from_u128(id), parent: Some(Uuid::from_u128(parent)), label: label.to_owned() }
}

pub(super) fn ids(table: &Table<LinkRow>, parent: u128) -> Vec<u128> {
    table.keys_where(LinkRow::parent, Uuid::from_u128(parent)).iter().map(Uuid::as_u128).collect()
}
