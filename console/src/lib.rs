//! The administrator's web page: what the screens of all clients show, live, and what became of each job.
//!
//! ```text
//!                 peer, headers              path                what jobs write
//! connection ─▶ serve ──────────▶ door ─▶ routes ─▶ pages ◀── desk ◀────────────── ghostctl's library
//!                                            └─▶ acts ─▶ ghostctl VERB
//! ```
//! It only looks: no job waits for it, or needs it. What it does at the wish of a person is done by `ghostctl`, as that person
//! would do it. Whatever a client has written is text on its pages, or a picture that was drawn anew.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod acts;
pub mod cli;
pub mod desk;
pub mod door;
pub mod events;
pub mod listen;
pub mod log;
mod pages;
#[doc(hidden)]
pub mod parsers;
mod patience;
mod pictures;
mod room;
pub mod routes;
pub mod serve;
pub mod tls;
