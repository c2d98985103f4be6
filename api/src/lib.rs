//! HTTP and the command line: commands in, queries out, who may, and what it is called outside.
//!
//! [`router::build`] assembles one file per resource from [`http`]. Everything a handler refuses is a
//! [`problem::Problem`]; everything it takes from a request comes through [`extract`].

pub mod answer;
pub mod calendar;
pub mod change;
pub mod charts;
pub mod cli;
pub mod config;
pub mod erasure;
pub mod exchange;
pub mod extract;
pub mod gated;
pub mod given;
pub mod guard;
pub mod http;
pub mod identity;
pub mod jobs;
pub mod ledger;
pub mod mail;
pub mod moments;
pub mod neighbours;
pub mod outside;
pub mod pages;
pub mod perform;
pub mod price_provider;
pub mod problem;
pub mod router;
pub mod served;
pub mod server_sent;
pub mod shown;
pub mod state;
pub mod telemetry;
pub mod told;
pub mod underway;
pub mod uploads;
