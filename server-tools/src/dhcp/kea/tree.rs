//! The values of a configuration, flat and in the order in which they begin. Reads up to the first fault, and what was closed by
//! then is whole.
//!
//! Knows nothing of what keys mean. Stretches are places in the list of tokens, so that values may go over files.

use super::lexer::{TextFault, TokenKind};

/// A value, with the key that it has in a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: NodeKind,
    /// The token of its key.
    pub key: Option<usize>,
    pub parent: Option<usize>,
    /// Its first token, and its last one once it is closed.
    pub first: usize,
    pub last: Option<usize>,
    pub children: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    Map,
    List,
    Text,
    Word,
}

/// What is wrong with an order of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxFault {
    #[error("{0}")]
    Text(#[from] TextFault),
    #[error("a key in double quotes should be here")]
    NoKey,
    #[error("':' should be here")]
    NoColon,
    #[error("a value should be here")]
    NoValue,
    #[error("',' is missing before this")]
    NoComma,
    #[error("this closes nothing that is open")]
    Unopened,
    #[error("what is opened here is not closed")]
    Unclosed,
    #[error("a configuration is one map; nothing may follow it")]
    Trailing,
}

/// What was read, and the first fault with its token; the last token where something is missing at the end.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    pub fault: Option<(usize, SyntaxFault)>,
}

impl Tree {
    /// A whole configuration, one map, of the meaningful tokens' kinds.
    pub fn whole(kinds: impl Iterator<Item = (usize, TokenKind)>) -> Self {
        Growing::default().read(kinds, false)
    }

    /// What one file holds that others may include: values or members of a map, with commas between them.
    pub fn part(kinds: impl Iterator<Item = (usize, TokenKind)>) -> Self {
        Growing::default().read(kinds, true)
    }
}

/// What may come next in the innermost value that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    /// After what opens it: a key of a map, a value of a list, or its end.
    First,
    /// After a comma: the same, or another comma, which Kea passes over with a warning.
    #[default]
    Item,
    Colon,
    Value,
    /// A comma, or the end.
    Comma,
}

#[derive(Default)]
struct Growing {
    tree: Tree,
    open: Vec<usize>,
    next: Next,
    /// The key of the value that comes.
    key: Option<usize>,
    is_part: bool,
}

impl Growing {
    fn read(mut self, kinds: impl Iterator<Item = (usize, TokenKind)>, is_part: bool) -> Tree {
        self.is_part = is_part;
        let mut last = 0;
        for (token, kind) in kinds {
            last = token;
            if let Err(fault) = self.take(token, kind) {
                self.tree.fault = Some((token, fault));
                return self.tree;
            }
        }
        let is_empty = !is_part && self.tree.nodes.is_empty();
        self.tree.fault = match self.open.last() {
            Some(open) => Some((self.tree.nodes[*open].first, SyntaxFault::Unclosed)),
            None if is_empty || matches!(self.next, Next::Value) => Some((last, SyntaxFault::NoValue)),
            None => None,
        };
        self.tree
    }

    fn take(&mut self, token: usize, kind: TokenKind) -> Result<(), SyntaxFault> {
        if self.open.is_empty() && !self.is_part && !self.tree.nodes.is_empty() {
            return Err(SyntaxFault::Trailing);
        }
        match kind {
            TokenKind::Broken(fault) => Err(fault.into()),
            TokenKind::Open => self.begin(token, NodeKind::Map),
            TokenKind::OpenList => self.begin(token, NodeKind::List),
            TokenKind::Text if self.wants_key() => {
                (self.key, self.next) = (Some(token), Next::Colon);
                Ok(())
            }
            TokenKind::Text => self.leaf(token, NodeKind::Text),
            TokenKind::Word => self.leaf(token, NodeKind::Word),
            TokenKind::Close => self.end(token, NodeKind::Map),
            TokenKind::CloseList => self.end(token, NodeKind::List),
            TokenKind::Colon => self.colon(),
            TokenKind::Comma if matches!(self.next, Next::Comma | Next::Item) => {
                self.next = Next::Item;
                Ok(())
            }
            TokenKind::Comma => Err(self.missing()),
            TokenKind::Include => {
                self.pass_over();
                Ok(())
            }
            TokenKind::Blank | TokenKind::Comment => Ok(()),
        }
    }

    /// An include that was not read may hold whatever is missing here, with or without a comma at its ends.
    fn pass_over(&mut self) {
        if self.next != Next::Colon {
            (self.key, self.next) = (None, Next::Item);
        }
    }

    fn missing(&self) -> SyntaxFault {
        match self.next {
            Next::First | Next::Item if self.is_in_map() => SyntaxFault::NoKey,
            Next::First | Next::Item => SyntaxFault::NoValue,
            Next::Colon => SyntaxFault::NoColon,
            Next::Value => SyntaxFault::NoValue,
            Next::Comma => SyntaxFault::NoComma,
        }
    }

    fn is_in_map(&self) -> bool {
        self.open.last().is_some_and(|open| self.tree.nodes[*open].kind == NodeKind::Map)
    }

    fn wants_key(&self) -> bool {
        matches!(self.next, Next::First | Next::Item) && self.is_in_map()
    }

    fn add(&mut self, token: usize, kind: NodeKind) -> Result<usize, SyntaxFault> {
        if self.wants_key() || matches!(self.next, Next::Colon | Next::Comma) {
            return Err(self.missing());
        }
        if self.open.is_empty() && !self.is_part && kind != NodeKind::Map {
            return Err(SyntaxFault::NoValue);
        }
        let place = self.tree.nodes.len();
        let parent = self.open.last().copied();
        let node =
            Node { kind, key: self.key.take(), parent, first: token, last: None, children: Vec::new() };
        self.tree.nodes.push(node);
        if let Some(parent) = parent {
            self.tree.nodes[parent].children.push(place);
        }
        Ok(place)
    }

    fn begin(&mut self, token: usize, kind: NodeKind) -> Result<(), SyntaxFault> {
        let place = self.add(token, kind)?;
        self.open.push(place);
        self.next = Next::First;
        Ok(())
    }

    fn leaf(&mut self, token: usize, kind: NodeKind) -> Result<(), SyntaxFault> {
        let place = self.add(token, kind)?;
        self.tree.nodes[place].last = Some(token);
        self.next = Next::Comma;
        Ok(())
    }

    fn end(&mut self, token: usize, kind: NodeKind) -> Result<(), SyntaxFault> {
        let open = self.open.last().copied().filter(|open| self.tree.nodes[*open].kind == kind);
        let open = open.ok_or(SyntaxFault::Unopened)?;
        if matches!(self.next, Next::Colon | Next::Value) {
            return Err(self.missing());
        }
        self.tree.nodes[open].last = Some(token);
        self.open.pop();
        self.next = Next::Comma;
        Ok(())
    }

    /// Outside of all maps of an included file, the string before it was no value but a key.
    fn colon(&mut self) -> Result<(), SyntaxFault> {
        if self.next != Next::Colon {
            let is_key = self.is_part && self.open.is_empty() && self.next == Next::Comma;
            let key =
                self.tree.nodes.pop_if(|node| is_key && node.kind == NodeKind::Text && node.key.is_none());
            let key = key.ok_or_else(|| self.missing_before_colon())?;
            self.key = Some(key.first);
        }
        self.next = Next::Value;
        Ok(())
    }

    fn missing_before_colon(&self) -> SyntaxFault {
        if self.is_in_map() { self.missing() } else { SyntaxFault::NoComma }
    }
}
