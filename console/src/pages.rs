//! The pages, as templates that the compiler checks: whatever is put in is text, unless it says otherwise.

pub(crate) mod client;
pub(crate) mod doctor;
pub(crate) mod images;
pub(crate) mod runs;
pub(crate) mod wall;

use ghost_contract::UnixTime;
use ghostctl::overview::pages;
use maud::{DOCTYPE, Markup, html};

/// What is around each page.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    pub(crate) who: &'a str,
    /// What forms must hold; none if people may only look.
    pub(crate) word: Option<String>,
}

/// Where a page belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Wall,
    Runs,
    Images,
    Doctor,
}

const PLACES: [(Place, &str, &str); 4] = [
    (Place::Wall, "/", "Clients"),
    (Place::Runs, "/runs", "Runs"),
    (Place::Images, "/images", "Images"),
    (Place::Doctor, "/doctor", "Doctor"),
];

/// A ghost, on 24 by 24 units.
const GHOST: &str = "M4 22V11a8 8 0 0 1 16 0v11l-2.7-2.2-2.6 2.2-2.7-2.2-2.7 2.2-2.6-2.2zM9 9.3a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4zm6 0a1.7 1.7 0 1 0 0 3.4 1.7 1.7 0 0 0 0-3.4z";

impl Frame<'_> {
    pub(crate) fn page(&self, place: Place, content: &Markup) -> Markup {
        bare(
            self.title,
            &html! {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="/" { (ghost()) "Ghost4Linux" }
                    nav aria-label="Pages" {
                        @for (of, path, name) in PLACES {
                            a href=(path) aria-current=[(of == place).then_some("page")] { (name) }
                        }
                    }
                    span.who { "You are " (self.who) @if self.word.is_none() { ", and may only look" } }
                }
                main id="content" tabindex="-1" { (content) }
                footer { "All times are UTC." }
            },
        )
    }
}

fn ghost() -> Markup {
    html! { svg viewBox="0 0 24 24" aria-hidden="true" { path fill-rule="evenodd" d=(GHOST) {} } }
}

fn bare(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Ghost4Linux" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                script src="/script.js" defer {}
            }
            body { (body) }
        }
    }
}

/// Asks for the token.
pub(crate) fn login(trouble: Option<&str>) -> Markup {
    bare(
        "Log in",
        &html! {
            main.narrow id="content" {
                h1.brand { (ghost()) "Ghost4Linux" }
                @if let Some(trouble) = trouble { p.bad.said role="alert" { (trouble) } }
                form method="post" action="/login" {
                    label for="token" { "The token of this console (on the boot server, in " code { "STATEDIR/console-token" } ")" }
                    input id="token" name="token" type="password" autocomplete="current-password" required autofocus;
                    button { "Log in" }
                }
            }
        },
    )
}

/// Says why there is no page.
pub(crate) fn refusal(status: u16, why: &str) -> Markup {
    bare(
        "Not shown",
        &html! {
            main.narrow id="content" {
                h1 { "Not shown (" (status) ")" }
                p { (why) }
                p { a href="/" { "All clients" } }
            }
        },
    )
}

/// A point in time, for people and programs.
fn time(at: UnixTime) -> Markup {
    let words = pages::time(at);
    html! { time datetime=(words.replacen(' ', "T", 1).replace(" UTC", "Z")) { (words) } }
}

/// The same without its seconds, for lists. The foot of the page says which zone it is in.
fn minute(at: UnixTime) -> Markup {
    let words = pages::time(at);
    let short: String = words.chars().take("2026-01-23 14:25".len()).collect();
    html! { time datetime=(words.replacen(' ', "T", 1).replace(" UTC", "Z")) { (short) } }
}

/// One line of what a program has said, without anything that commands a terminal.
fn plain_line(text: &str) -> String {
    ghostctl::overview::one_line(text).to_string()
}

fn size(bytes: Option<u64>) -> String {
    bytes.map(pages::size).unwrap_or_default()
}
