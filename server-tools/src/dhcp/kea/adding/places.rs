//! Where a new item of a list or a map goes, and what stands there then. Pure.
//!
//! ```text
//! [ ]                     ─▶ [ NEW ]
//! [ a, # of a             ─▶ [ a, # of a
//! ]                            NEW,
//!                            ]
//! ```
//! A comment stays with the item that it is about, and a comma behind the last item stays behind the last item.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context as _, anyhow, bail};
use ghost_contract::HostName;

use super::super::lexer::{Lexer, TokenKind};
use super::super::table::Values;
use crate::dhcp::Change;
use crate::dhcp::adding::{Draft, Written, new_line};
use crate::dhcp::text::{absolute, replaced};

/// How far Debian's own file is indented.
const INDENT: &str = "    ";

/// Text in the place of a stretch of a file, which is part of it.
#[derive(Debug, Clone)]
pub(super) struct Insertion {
    file: usize,
    stretch: Range<usize>,
    text: Vec<u8>,
    /// The host that it declares.
    host: Option<HostName>,
}

/// Puts an item behind the last one of a list or a map. Its own lines are indented as far as that one.
pub(super) fn behind_last(values: &Values, node: usize, item: &str) -> anyhow::Result<Insertion> {
    let Some(last) = values.node(node).children.last().copied() else {
        return into_empty(values, node, item);
    };
    let first_piece = values.node(last).key.unwrap_or(values.node(last).first);
    let last_piece = values.node(last).last.context("a value without an end")?;
    let (file, end) = end_of(values, last_piece);
    let bytes = &values.sources.files[file].bytes;
    let comma = values.sources.pieces.get(last_piece + 1);
    let comma = comma.filter(|piece| piece.kind == TokenKind::Comma && piece.file == file);
    let start = comma.map_or(end, |comma| comma.range.end);
    let (before, behind) = if comma.is_some() { ("", ",") } else { (",", "") };
    let point = end_of_line(bytes, start);
    let (kept, end_of_line) = (&bytes[start..point], new_line(bytes));
    let item_begins = values.sources.pieces.get(first_piece).map_or(0..0, |piece| piece.range.clone());
    let is_in_one_line =
        kept.is_empty() && !item.contains('\n') && !begins_its_line(bytes, item_begins.start);
    let item = match is_in_one_line {
        true => format!(" {item}"),
        false => lines(item, &indent_at(bytes, item_begins.start), end_of_line),
    };
    let text = [before.as_bytes(), kept, item.as_bytes(), behind.as_bytes()].concat();
    Ok(Insertion { file, stretch: start..point, text, host: None })
}

/// Puts hosts behind the last item of a list. Each can be taken out for itself, with the comma that it needs.
pub(super) fn each_behind_last(
    values: &Values,
    node: usize,
    items: &[(HostName, String)],
) -> anyhow::Result<Vec<Insertion>> {
    let joined: Vec<&str> = items.iter().map(|(_, item)| item.as_str()).collect();
    let Insertion { file, stretch, text, .. } = behind_last(values, node, &joined.join(",\n"))?;
    let is_closed = text.ends_with(b",");
    let (mut insertions, mut begun) = (Vec::new(), 0);
    for (at, (host, item)) in items.iter().enumerate() {
        let found = text[begun..].windows(item.len()).position(|window| window == item.as_bytes());
        let end = begun + found.context("an item that was put in is not there")? + item.len();
        let end = if at + 1 == items.len() { text.len() } else { end + usize::from(is_closed) };
        // What was there is in the place of the first one.
        let stretch = if at == 0 { stretch.clone() } else { stretch.end..stretch.end };
        insertions.push(Insertion {
            file,
            stretch,
            text: text[begun..end].to_vec(),
            host: Some(host.clone()),
        });
        begun = end;
    }
    Ok(insertions)
}

/// Into a list or a map with nothing in it.
fn into_empty(values: &Values, node: usize, item: &str) -> anyhow::Result<Insertion> {
    let (file, start) = end_of(values, values.node(node).first);
    let bytes = &values.sources.files[file].bytes;
    let closed = values.node(node).last.and_then(|piece| values.sources.pieces.get(piece));
    let closed = closed.filter(|piece| piece.file == file).context("a value without an end in its file")?;
    let is_in_one_line = !item.contains('\n') && !bytes[start..closed.range.start].contains(&b'\n');
    let text = match is_in_one_line {
        true => format!(" {item}"),
        false => {
            let outer = indent_at(bytes, start);
            let end_of_line = new_line(bytes);
            let rest = bytes[start..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
            let own_line = match bytes.get(start + rest) {
                Some(b'\n') => String::new(),
                _ => format!("{end_of_line}{outer}"),
            };
            lines(item, &format!("{outer}{INDENT}"), end_of_line) + &own_line
        }
    };
    Ok(Insertion { file, stretch: start..start, text: text.into_bytes(), host: None })
}

/// The insertion as a new text of the whole value that it is in, so that it can be told from others of the same words.
pub(super) fn whole(values: &Values, node: usize, insertion: Insertion) -> anyhow::Result<Insertion> {
    let begins = values.sources.pieces.get(values.node(node).first);
    let ends = values.node(node).last.and_then(|piece| values.sources.pieces.get(piece));
    let (Some(begins), Some(ends)) = (begins, ends) else { bail!("a value without a place") };
    if begins.file != insertion.file || ends.file != insertion.file {
        return Err(anyhow!(
            "{}: this is written in several files; write into it by hand: {}",
            values.place(node),
            String::from_utf8_lossy(&insertion.text).trim_matches([',', ' ', '\r', '\n', '\t'])
        ));
    }
    let bytes = &values.sources.files[insertion.file].bytes;
    let (start, end) = (begins.range.start, ends.range.end);
    let text = [&bytes[start..insertion.stretch.start], &insertion.text, &bytes[insertion.stretch.end..end]];
    Ok(Insertion { file: insertion.file, stretch: start..end, text: text.concat(), host: None })
}

/// All insertions as one edit.
pub(super) fn drafted(values: &Values, insertions: Vec<Insertion>) -> anyhow::Result<Draft> {
    let mut draft = Draft::default();
    let mut of_file: BTreeMap<usize, Vec<Insertion>> = BTreeMap::new();
    insertions.into_iter().for_each(|one| of_file.entry(one.file).or_default().push(one));
    for (file, mut insertions) in of_file {
        let source = &values.sources.files[file];
        let path = absolute(&source.path);
        insertions.sort_by_key(|one| one.stretch.start);
        for Insertion { stretch, text, host, .. } in &insertions {
            let utf8 = |bytes: &[u8]| {
                let words = "holds what is not UTF-8 where this goes: write it by hand";
                String::from_utf8(bytes.to_vec()).with_context(|| format!("{} {words}", path.display()))
            };
            let (text, was) = (utf8(text)?, utf8(&source.bytes[stretch.clone()])?);
            draft.written.push(Written { file: path.clone(), text, was, host: host.clone() });
        }
        let replacements = insertions.into_iter().map(|one| (one.stretch, one.text)).collect();
        let contents = replaced(&source.bytes, replacements);
        draft.changes.push(Change { file: path, read: source.bytes.clone(), contents });
    }
    Ok(draft)
}

fn end_of(values: &Values, piece: usize) -> (usize, usize) {
    values.sources.pieces.get(piece).map_or((0, 0), |piece| (piece.file, piece.range.end))
}

/// Where a line ends behind what stands here, if there are only comments up to then; else here.
fn end_of_line(bytes: &[u8], start: usize) -> usize {
    let mut point = start;
    for token in Lexer::new(&bytes[start..]) {
        match token.kind {
            // A comment has all up to the end of the line, with what Windows puts before that.
            TokenKind::Comment if !token.bytes.contains(&b'\n') => {
                point = start + token.end() - usize::from(token.bytes.ends_with(b"\r"));
            }
            TokenKind::Blank if !token.bytes.contains(&b'\n') => {}
            TokenKind::Blank => return point,
            _ => return start,
        }
    }
    point
}

fn line_before(bytes: &[u8], at: usize) -> &[u8] {
    bytes[..at].rsplit(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn begins_its_line(bytes: &[u8], at: usize) -> bool {
    line_before(bytes, at).iter().all(u8::is_ascii_whitespace)
}

/// What is before the first word of the line that this is in.
fn indent_at(bytes: &[u8], at: usize) -> String {
    let blanks = line_before(bytes, at).iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    blanks.map(|byte| char::from(*byte)).collect()
}

/// The item on lines of its own, behind the one that is there.
fn lines(item: &str, indent: &str, end_of_line: &str) -> String {
    item.lines().map(|line| format!("{end_of_line}{indent}{line}")).collect()
}
