//! Which path leads to what. Everybody passes the [`Door`] first, and every answer says what a browser may do with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Form, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use ghost_contract::{HostName, JobId};
use ghostctl::overview::pages::style_of_runs;
use ghostctl::run::RunId;
use maud::Markup;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::acts::{self, Act, Acts};
use crate::desk::Desk;
use crate::door::{COOKIE_NAME, Door, Peer, Verdict, Who};
use crate::pages::{self, Frame};
use crate::room::Room;
use crate::{events, log};

/// No form has more, bytes.
const LARGEST_FORM: usize = 4 << 10;
/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many watch the wall live.
const VIEWERS: usize = 64;
/// So many walls of them are one person's.
const WALLS: usize = 32;
/// `doctor` is run again after this.
const EXAMINED: Duration = Duration::from_secs(60);

/// Only what is ours, and nothing inline. The pictures of a run's report are in its page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../assets/style.css");
const SCRIPT: &str = include_str!("../assets/script.js");

struct Console {
    desk: Arc<Desk>,
    door: Door,
    acts: Arc<Acts>,
    allow_actions: bool,
    viewers: Room<String>,
    examined: Mutex<Option<(Instant, String)>>,
}

type Shared = State<Arc<Console>>;

pub fn router(desk: Desk, door: Door, acts: Acts, allow_actions: bool) -> Router {
    let console = Arc::new(Console {
        desk: Arc::new(desk),
        door,
        acts: Arc::new(acts),
        allow_actions,
        viewers: Room::new(VIEWERS, WALLS),
        examined: Mutex::default(),
    });
    Router::new()
        .route("/", get(wall))
        .route("/events", get(live))
        .route("/client/{host}", get(client))
        .route("/screen/{host}/{job}/{name}", get(screen))
        .route("/thumb/{host}/{job}/{name}", get(thumbnail))
        .route("/runs", get(runs))
        .route("/run/{run}", get(run))
        .route("/images", get(images))
        .route("/doctor", get(doctor))
        .route("/metrics", get(metrics))
        .route("/act", post(act))
        .route("/login", post(login))
        .route("/style.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/run.css", get(|| async { asset("text/css; charset=utf-8", style_of_runs()) }))
        .route("/script.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .fallback(|| async { refused(StatusCode::NOT_FOUND, "there is no such page") })
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::from_fn_with_state(Arc::clone(&console), pass))
        .with_state(console)
}

/// The door, the time limit, and what is said with every answer.
async fn pass(State(console): Shared, mut request: Request, next: Next) -> Response {
    let is_open = matches!(request.uri().path(), "/style.css" | "/script.js")
        || (request.uri().path() == "/login" && request.method() == Method::POST);
    let verdict = match request.extensions().get::<Peer>() {
        Some(peer) => console.door.verdict(peer, request.headers()),
        None => Verdict::Refused("the console cannot tell where this connection comes from"),
    };
    // Who is not let in holds no connection: it comes once for each request.
    let is_stranger = !matches!(verdict, Verdict::Welcome(_));
    let mut answer = match verdict {
        Verdict::Refused(why) => refused(StatusCode::FORBIDDEN, why),
        Verdict::ShowsNoToken if !is_open => {
            let page = pages::login(None);
            (StatusCode::UNAUTHORIZED, Html(page.into_string())).into_response()
        }
        verdict => {
            if let Verdict::Welcome(who) = verdict {
                request.extensions_mut().insert(who);
            }
            let late = |_| refused(StatusCode::SERVICE_UNAVAILABLE, "that took too long: try again");
            tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(late)
        }
    };
    if is_stranger {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    with_headers(answer)
}

fn with_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let mut say = |name: HeaderName, value| drop(headers.insert(name, HeaderValue::from_static(value)));
    say(CONTENT_SECURITY_POLICY, POLICY);
    say(X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(REFERRER_POLICY, "no-referrer");
    say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

fn refused(status: StatusCode, why: &str) -> Response {
    (status, Html(pages::refusal(status.as_u16(), why).into_string())).into_response()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=300")], text).into_response()
}

/// A page, or in its place why there is none.
fn page(made: anyhow::Result<Option<Markup>>) -> Response {
    match made {
        Ok(Some(page)) => Html(page.into_string()).into_response(),
        Ok(None) => refused(StatusCode::NOT_FOUND, "there is no such client, job or run"),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> Response {
    log::line(&format!("a page could not be made: {error:#}"));
    refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}"))
}

impl Console {
    fn frame<'a>(&self, title: &'a str, who: &'a Who) -> Frame<'a> {
        let word = self.allow_actions.then(|| self.door.form_word(who));
        Frame { title, who: &who.0, word }
    }
}

async fn wall(State(console): Shared, Extension(who): Extension<Who>) -> Response {
    let wall = console.desk.wall().await;
    page(wall.map(|wall| Some(pages::wall::page(&console.frame("All clients", &who), &wall))))
}

async fn live(State(console): Shared, Extension(who): Extension<Who>) -> Response {
    let Some(free) = console.viewers.free_now() else {
        return refused(StatusCode::SERVICE_UNAVAILABLE, "too many people watch the wall: try again later");
    };
    match console.viewers.give(free, Some(who.0)) {
        Some(place) => events::of(Arc::clone(&console.desk), place).into_response(),
        None => {
            refused(StatusCode::SERVICE_UNAVAILABLE, "you watch the wall in too many windows: close some")
        }
    }
}

async fn client(
    State(console): Shared,
    Extension(who): Extension<Who>,
    Path(host): Path<String>,
) -> Response {
    let Ok(host) = host.parse::<HostName>() else { return page(Ok(None)) };
    let acts = console.acts.of(&host);
    let made = console.desk.client(host.clone()).await;
    let frame = console.frame(host.as_str(), &who);
    page(made.map(|client| client.map(|client| pages::client::page(&frame, &client, &acts))))
}

async fn screen(State(console): Shared, Path(of): Path<(String, String, String)>) -> Response {
    picture(&console, of, false).await
}

async fn thumbnail(State(console): Shared, Path(of): Path<(String, String, String)>) -> Response {
    picture(&console, of, true).await
}

async fn picture(console: &Console, (host, job, name): (String, String, String), is_small: bool) -> Response {
    let (Ok(host), Ok(job)) = (host.parse::<HostName>(), job.parse::<JobId>()) else { return page(Ok(None)) };
    match console.desk.picture((host, job, name), is_small).await {
        // A screenshot of this name never changes.
        Ok(Some(png)) => {
            let headers = [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "private, max-age=86400, immutable")];
            (headers, Body::from(png.to_vec())).into_response()
        }
        Ok(None) => page(Ok(None)),
        Err(error) => refused(StatusCode::NOT_FOUND, &format!("the picture cannot be shown: {error:#}")),
    }
}

async fn runs(State(console): Shared, Extension(who): Extension<Who>) -> Response {
    let runs = console.desk.runs().await;
    page(runs.map(|runs| Some(pages::runs::list(&console.frame("Runs", &who), &runs))))
}

async fn run(State(console): Shared, Extension(who): Extension<Who>, Path(run): Path<String>) -> Response {
    let Ok(run) = run.parse::<RunId>() else { return page(Ok(None)) };
    let made = console.desk.run(run).await;
    page(made.map(|run| run.map(|run| pages::runs::one(&console.frame(&run.title, &who), &run))))
}

async fn images(State(console): Shared, Extension(who): Extension<Who>) -> Response {
    let images = console.desk.images().await;
    page(images.map(|images| {
        Some(pages::images::page(&console.frame("Images", &who), &images, &console.desk.retention()))
    }))
}

async fn doctor(State(console): Shared, Extension(who): Extension<Who>) -> Response {
    let mut examined = console.examined.lock().await;
    let found = match &*examined {
        Some((at, found)) if at.elapsed() < EXAMINED => Ok(found.clone()),
        _ => console.acts.doctor().await.inspect(|found| *examined = Some((Instant::now(), found.clone()))),
    };
    page(found.map(|found| Some(pages::doctor::page(&console.frame("Doctor", &who), &found))))
}

async fn metrics(State(console): Shared) -> Response {
    match console.desk.metrics().await {
        Ok(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => failed(&error),
    }
}

async fn act(
    State(console): Shared,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Form(form): Form<acts::Form>,
) -> Response {
    if !console.allow_actions {
        return refused(
            StatusCode::FORBIDDEN,
            "this console only shows: it was started without --allow-actions",
        );
    }
    if !console.door.is_our_form(&who, &form.word, &headers) {
        return refused(
            StatusCode::FORBIDDEN,
            "this form is out of date: go back, load the page again, and try again",
        );
    }
    let begun = Act::of(&form).map_err(str::to_owned).and_then(|act| {
        let path = format!("/client/{}", act.host);
        console.acts.begin(act, who).map(|()| path)
    });
    begun
        .map_or_else(|why| refused(StatusCode::BAD_REQUEST, &why), |path| Redirect::to(&path).into_response())
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

async fn login(
    State(console): Shared,
    Extension(peer): Extension<Peer>,
    Form(login): Form<Login>,
) -> Response {
    if !console.door.is_token(&login.token) {
        log::line(&format!("{peer} sent a wrong token"));
        let page = pages::login(Some("That is not the token."));
        return (StatusCode::UNAUTHORIZED, Html(page.into_string())).into_response();
    }
    let secure = if console.door.is_by_tls_only() { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict{secure}", console.door.session());
    ([(SET_COOKIE, cookie)], Redirect::to("/")).into_response()
}
