//! A configuration's files put together as Kea reads them: what a file includes stands in the place of the directive.
//!
//! Does not open files: whoever reads says what an `include` holds. Kea takes a relative path as relative to its working folder.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::lexer::{Lexer, TokenKind, included};
use super::tree::{SyntaxFault, Tree};
use crate::place::{Lines, Place};

/// How deep Kea lets files include each other.
const DEEPEST: usize = 10;
/// How many files one configuration may have. A guard against files that include each other ever more often.
const MOST_FILES: usize = 1_000;

/// A file and its bytes.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// The file that includes it, and where that says its path, without quotes.
    pub(super) included_by: Option<(usize, Range<usize>)>,
    /// Known once a place is asked for.
    lines: OnceLock<Lines>,
}

/// A token of one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) file: usize,
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

/// The files in the order in which they are included, and the meaningful tokens of all.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    pub(super) files: Vec<Source>,
    pub(super) pieces: Vec<Piece>,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not what Kea would accept.
    #[error("{place}: {fault}\n{}", place.excerpt())]
    Syntax { place: Box<Place>, fault: SyntaxFault },
    /// An included file could not be had.
    #[error("{place}: cannot include {}\n{}", path.display(), place.excerpt())]
    Include { place: Box<Place>, path: PathBuf, source: io::Error },
    /// Files include each other, maybe without end.
    #[error("{place}: too many files include each other\n{}", place.excerpt())]
    TooMany { place: Box<Place> },
    /// It is not for this server.
    #[error("{place}: a configuration of kea-dhcp4 begins with {{ \"Dhcp4\": {{\n{}", place.excerpt())]
    NotDhcp4 { place: Box<Place> },
}

/// Gives the bytes of an included file.
pub(super) type Content<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

impl Sources {
    /// A file with all that it includes.
    pub(super) fn read(path: &Path, bytes: Vec<u8>, content: &mut Content<'_>) -> Result<Self, ReadError> {
        let mut sources = Self::default();
        sources.add(
            Source { path: path.to_owned(), bytes, included_by: None, lines: OnceLock::new() },
            0,
            content,
        )?;
        Ok(sources)
    }

    /// One file. What it includes stays a directive.
    pub(super) fn of_one_file(path: &Path, bytes: Vec<u8>) -> Self {
        let mut pieces = Vec::new();
        for token in Lexer::new(&bytes).filter(|token| token.is_meaningful()) {
            pieces.push(Piece { file: 0, kind: token.kind, range: token.start..token.end() });
        }
        let file = Source { path: path.to_owned(), bytes, included_by: None, lines: OnceLock::new() };
        Self { files: vec![file], pieces }
    }

    fn add(&mut self, source: Source, depth: usize, content: &mut Content<'_>) -> Result<(), ReadError> {
        let file = self.files.len();
        let tokens: Vec<(TokenKind, Range<usize>)> = Lexer::new(&source.bytes)
            .filter(|token| token.is_meaningful())
            .map(|token| (token.kind, token.start..token.end()))
            .collect();
        self.files.push(source);
        for (kind, range) in tokens {
            if kind != TokenKind::Include {
                self.pieces.push(Piece { file, kind, range });
                continue;
            }
            let place = || Box::new(self.place(file, range.start));
            if depth == DEEPEST || self.files.len() >= MOST_FILES {
                return Err(ReadError::TooMany { place: place() });
            }
            let directive = self.files[file].bytes.get(range.clone()).unwrap_or_default();
            let Some((named, _)) = included(directive) else { continue };
            let path = path_of(directive.get(named.clone()).unwrap_or_default());
            let bytes = match content(&path) {
                Ok(bytes) => bytes,
                Err(source) => return Err(ReadError::Include { place: place(), path, source }),
            };
            let named = range.start + named.start..range.start + named.end;
            let included = Source { path, bytes, included_by: Some((file, named)), lines: OnceLock::new() };
            self.add(included, depth + 1, content)?;
        }
        Ok(())
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = (usize, TokenKind)> {
        self.pieces.iter().map(|piece| piece.kind).enumerate()
    }

    /// The whole configuration as values.
    pub(super) fn whole(&self) -> Result<Tree, ReadError> {
        let tree = Tree::whole(self.kinds());
        match tree.fault {
            Some((piece, fault)) => Err(ReadError::Syntax { place: Box::new(self.place_of(piece)), fault }),
            None => Ok(tree),
        }
    }

    pub(super) fn bytes_of(&self, piece: usize) -> &[u8] {
        let piece = self.pieces.get(piece);
        piece.and_then(|piece| self.files.get(piece.file)?.bytes.get(piece.range.clone())).unwrap_or_default()
    }

    /// The place where a token begins; the beginning of the first file, if there is none.
    pub(super) fn place_of(&self, piece: usize) -> Place {
        self.pieces
            .get(piece)
            .map_or_else(|| self.place(0, 0), |piece| self.place(piece.file, piece.range.start))
    }

    fn place(&self, file: usize, offset: usize) -> Place {
        let Some(source) = self.files.get(file) else { return Place::at(Path::new(""), b"", 0) };
        let lines = source.lines.get_or_init(|| Lines::of(&source.bytes));
        lines.place(&source.path, &source.bytes, offset)
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()))
}
