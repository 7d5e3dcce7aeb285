//! What reads requests, as plain functions of bytes: for the fuzz targets (`fuzz/`), and for nothing else.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::extract::{FromRequest as _, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use futures_util::FutureExt as _;

use crate::acts::{self, Act};
use crate::door::{Door, Peer, Verdict, Who};
use crate::listen::Entrance;

/// What a browser that knows the token shows.
pub const TOKEN: &str = "0123456789abcdef";

/// What is done for a form: the words after `ghostctl`, and what was typed.
pub fn form(body: &[u8]) -> Option<(Vec<String>, String)> {
    let type_of_forms = "application/x-www-form-urlencoded";
    let request = Request::post("/act").header(CONTENT_TYPE, type_of_forms).body(Body::from(body.to_vec()));
    let read = axum::Form::<acts::Form>::from_request(request.ok()?, &()).now_or_never();
    let axum::Form(form) = read.unwrap_or_else(|| panic!("the body is there, and is waited for")).ok()?;
    let act = Act::of(&form).ok()?;
    Some((act.words().into_iter().map(str::to_owned).collect(), form.typed))
}

/// Who is let in with these headers, a line each: from this machine by the token, and by a proxy.
pub fn door(head: &[u8]) -> [Option<String>; 2] {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = HeaderValue::from_bytes(value[1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
            headers.append(name, value);
        }
    }
    let proxy = IpAddr::from([192, 168, 7, 9]);
    let by_proxy = Entrance::Proxy { from: Some(proxy), header: "x-user".to_owned() };
    let doors = [(Entrance::Token, IpAddr::from(Ipv4Addr::LOCALHOST)), (by_proxy, proxy)];
    doors.map(|(entrance, from)| {
        let door = Door::new(entrance, Some(TOKEN.to_owned()), [7; 32]);
        match door.verdict(&Peer::Network(from), &headers) {
            Verdict::Welcome(Who(who)) => Some(who),
            Verdict::ShowsNoToken | Verdict::Refused(_) => None,
        }
    })
}

/// What the cookie of a browser that knows the token holds.
pub fn session() -> String {
    Door::new(Entrance::Token, Some(TOKEN.to_owned()), [7; 32]).session()
}
