//! A table with commas or semicolons, as spreadsheets write them: name, hardware address, address; or columns in any order under a
//! line that names them.

use ::csv::{ReaderBuilder, StringRecord, Trim};

use super::{Read, hardware_address};

/// Where which field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    name: usize,
    mac: usize,
    ip: usize,
}

pub(super) fn read(bytes: &[u8]) -> Read {
    let mut read = Read::default();
    let start = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    let text = bytes.get(start..).unwrap_or_default();
    let delimiter = delimiter(text);
    let open = open_quotes(text, delimiter);
    if !open.is_empty() {
        // What stands behind such quotes would be read as one field, however many lines it is.
        read.faults.extend(open.into_iter().map(|at| (start + at, OPEN.to_owned())));
        return read;
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .from_reader(text);
    let mut columns = Columns { name: 0, mac: 1, ip: 2 };
    let mut is_first = true;
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let at = error.position().map_or(0, ::csv::Position::byte);
                read.faults.push((offset(start, at), "this line is not UTF-8 text".to_owned()));
                continue;
            }
        };
        let at = offset(start, record.position().map_or(0, ::csv::Position::byte));
        let at = at
            + bytes
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| byte.is_ascii_whitespace())
                .count();
        if record.iter().all(str::is_empty) {
            continue;
        }
        if std::mem::take(&mut is_first) && !record.iter().any(|field| hardware_address(field).is_some()) {
            match heading(&record) {
                Some(named) => columns = named,
                None => read.faults.push((at, HEADING.to_owned())),
            }
            continue;
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        if field(columns.ip).is_empty() {
            read.faults.push((
                at,
                "this line has no name, hardware address and address in the columns that are for them"
                    .to_owned(),
            ));
            continue;
        }
        read.take(at, field(columns.name), field(columns.mac), Some(field(columns.ip)));
    }
    read
}

const HEADING: &str =
    "this line is neither a machine (name,hardware address,address) nor names the columns: name, mac, ip";

const OPEN: &str = "these quotes have no end in this line; close them, or remove them";

/// Where fields begin with quotes that have no end in their line.
fn open_quotes(text: &[u8], delimiter: u8) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        let open = if line.starts_with(b"#") { None } else { open_quote(line, delimiter) };
        found.extend(open.map(|open| at + open));
        at += line.len();
    }
    found
}

fn open_quote(line: &[u8], delimiter: u8) -> Option<usize> {
    let (mut begun, mut ended, mut begins_a_field) = (None, None, true);
    for (at, byte) in line.iter().enumerate() {
        match (begun, ended.take()) {
            (Some(_), _) if *byte == b'"' => (begun, ended) = (None, begun),
            (Some(_), _) => {}
            // Doubled quotes are one of the field's own.
            (None, Some(start)) if *byte == b'"' => begun = Some(start),
            (None, None) if *byte == b'"' && begins_a_field => begun = Some(at),
            (None, _) => begins_a_field = *byte == delimiter,
        }
    }
    begun
}

fn offset(start: usize, at: u64) -> usize {
    start + usize::try_from(at).unwrap_or(usize::MAX - start)
}

/// What is there more often in the first line that is no comment.
fn delimiter(text: &[u8]) -> u8 {
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#"));
    let first = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|one| count(*one)).unwrap_or(b',')
}

fn heading(record: &StringRecord) -> Option<Columns> {
    let column = |names: &[&str]| {
        let is_it = |field: &str| {
            let field: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
            names.contains(&field.to_ascii_lowercase().as_str())
        };
        record.iter().position(is_it)
    };
    Some(Columns {
        name: column(&["name", "host", "hostname", "computer", "computername", "pc"])?,
        mac: column(&[
            "mac",
            "macaddress",
            "hardwareaddress",
            "hardware",
            "ethernet",
            "physicaladdress",
            "hwaddress",
        ])?,
        ip: column(&["ip", "ipaddress", "address", "ipv4", "ipv4address", "fixedaddress"])?,
    })
}
