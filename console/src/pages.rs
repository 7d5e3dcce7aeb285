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

const PLACES: [(&str, &str); 4] =
    [("/", "Clients"), ("/runs", "Runs"), ("/images", "Images"), ("/doctor", "Doctor")];

impl Frame<'_> {
    pub(crate) fn page(&self, content: &Markup) -> Markup {
        bare(
            self.title,
            &html! {
                a.skip href="#content" { "To the content" }
                header {
                    nav aria-label="Pages" {
                        @for (path, name) in PLACES { a href=(path) { (name) } }
                    }
                    span.who { "You are " (self.who) @if self.word.is_none() { "; you may look, and not act" } }
                }
                main id="content" tabindex="-1" { (content) }
            },
        )
    }
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
            main id="content" {
                h1 { "Ghost4Linux" }
                @if let Some(trouble) = trouble { p.bad role="alert" { (trouble) } }
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
            main id="content" {
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

fn size(bytes: Option<u64>) -> String {
    bytes.map(pages::size).unwrap_or_default()
}
