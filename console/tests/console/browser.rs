//! As much of a browser as the tests need: requests byte by byte, over TCP or a Unix socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// No answer is waited for longer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub(crate) struct Browser {
    place: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    }
}

impl Browser {
    pub(crate) fn at(place: &str) -> Self {
        let host = match place.strip_prefix("http://") {
            Some(address) => address.trim_end_matches('/').to_owned(),
            None => "localhost".to_owned(),
        };
        Self { place: place.to_owned(), headers: vec![("host".to_owned(), host)] }
    }

    /// Says this with each request; nothing, if it is empty.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(crate) fn connect(&self) -> Box<dyn Stream> {
        if let Some(address) = self.place.strip_prefix("http://") {
            let stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            return Box::new(stream);
        }
        let stream = UnixStream::connect(self.place.strip_prefix("unix:").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(stream)
    }

    /// The head of the answer to one who may ask again on the same connection.
    pub(crate) fn keeps(&self, path: &str) -> Answer {
        let mut stream = self.send("GET", path, None, "keep-alive");
        let (mut head, mut one) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut one).unwrap();
            head.extend(one);
        }
        let head = String::from_utf8(head).unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: Vec::new() }
    }

    /// What goes on coming, if the console lets it.
    pub(crate) fn watches(&self, path: &str) -> Option<Box<dyn Stream>> {
        let mut stream = self.ask("GET", path, None);
        let mut status = [0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut status).unwrap();
        (status == *b"HTTP/1.1 200").then_some(stream)
    }

    /// Sends a request, and leaves the answer to be read.
    pub(crate) fn ask(&self, method: &str, path: &str, form: Option<&str>) -> Box<dyn Stream> {
        self.send(method, path, form, "close")
    }

    fn send(&self, method: &str, path: &str, form: Option<&str>, then: &str) -> Box<dyn Stream> {
        let mut stream = self.connect();
        let mut request = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            request += &format!("{name}: {value}\r\n");
        }
        if let Some(form) = form {
            request += &format!(
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                form.len()
            );
        }
        request += &format!("connection: {then}\r\n\r\n{}", form.unwrap_or_default());
        // A console that refuses may close before it has read all.
        let _refused = stream.write_all(request.as_bytes());
        stream
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        read(&mut *self.ask("GET", path, None))
    }

    pub(crate) fn post(&self, path: &str, form: &str) -> Answer {
        read(&mut *self.ask("POST", path, Some(form)))
    }
}

/// The whole answer, whose body ends with the connection, or is in chunks.
pub(crate) fn read(stream: &mut dyn Stream) -> Answer {
    let mut bytes = Vec::new();
    let _closed = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = bytes[end + 4..].to_vec();
    if head.to_lowercase().contains("transfer-encoding: chunked") {
        body = joined(&body);
    }
    Answer { status, head, body }
}

fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        body.extend(&chunks[end + 2..end + 2 + length]);
        chunks = &chunks[end + 2 + length + 2..];
    }
    body
}
