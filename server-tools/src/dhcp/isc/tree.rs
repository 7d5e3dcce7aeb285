//! dhcpd.conf as statements: what ends with `;`, and what has a block in braces.
//!
//! Knows the grammar's shape and the few keywords that the host table needs, not what parameters mean: that
//! is for `dhcpd -t`. Reading goes on after a fault, so that a client finds its name in a file that somebody
//! is just editing; whoever wants to change a file looks at [`Tree::faults`] first.

use std::ops::Range;

use super::lexer::{Lexer, TextFault, Token, TokenKind};

/// What a statement is about, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// `host`
    Host,
    /// `group`, `subnet`, `subnet6`, `shared-network`, `pool`, `pool6`: a scope that hosts can stand in.
    Scope,
    /// `if`, `elsif`, `else`, `switch`: what is inside holds sometimes.
    Condition,
    /// `on`, which may be without a block: `on expiry;`
    Event,
    /// `case` and `default`, whose labels end in a colon.
    Label,
    /// `include`
    Include,
    /// `filename`
    Filename,
    /// `hardware`
    Hardware,
    /// `fixed-address`
    FixedAddress,
    /// `option`, the only statement in which braces are part of a value (a record's format).
    Option,
    /// `key`, after whose block dhcpd tolerates a semicolon.
    Key,
    /// Anything else.
    Other,
}

impl Keyword {
    fn of(token: &Token<'_>) -> Self {
        let mut small = [0_u8; "shared-network".len()];
        let Some(word) = small.get_mut(..token.bytes.len()) else { return Self::Other };
        word.copy_from_slice(token.bytes);
        word.make_ascii_lowercase();
        match &*word {
            b"host" => Self::Host,
            b"filename" => Self::Filename,
            b"hardware" => Self::Hardware,
            b"fixed-address" => Self::FixedAddress,
            b"option" => Self::Option,
            b"include" => Self::Include,
            b"key" => Self::Key,
            b"group" | b"subnet" | b"subnet6" | b"shared-network" | b"pool" | b"pool6" => Self::Scope,
            b"if" | b"elsif" | b"else" | b"switch" => Self::Condition,
            b"on" => Self::Event,
            b"case" | b"default" => Self::Label,
            _ => Self::Other,
        }
    }

    /// Whether dhcpd wants a block after it, or wants none.
    const fn wants_block(self) -> Option<bool> {
        match self {
            Self::Host | Self::Scope | Self::Condition => Some(true),
            Self::Include | Self::Filename | Self::Hardware | Self::FixedAddress => Some(false),
            Self::Event | Self::Label | Self::Option | Self::Key | Self::Other => None,
        }
    }
}

/// A statement as a stretch of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// What it is about.
    pub keyword: Keyword,
    /// The offset of its first byte.
    pub start: usize,
    /// The offset after the last byte of what stands before its `;` or `{`.
    pub head_end: usize,
    /// The offset after its `;` or `}`.
    pub end: usize,
    /// Whether it has a block.
    pub has_block: bool,
    /// The statement in whose block it stands.
    pub parent: Option<usize>,
}

impl Statement {
    /// Where the keyword and what belongs to it stand.
    pub const fn head(&self) -> Range<usize> {
        self.start..self.head_end
    }
}

/// What is wrong with the shape of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxFault {
    /// A string that dhcpd refuses.
    #[error(transparent)]
    Text(TextFault),
    /// The byte 0xFF outside strings and comments.
    #[error("dhcpd takes the byte 0xff for the end of the file; remove it, or save the file as UTF-8")]
    EndMark,
    /// `}` without `{`.
    #[error("this '}}' closes nothing")]
    Unopened,
    /// `{` without `}`.
    #[error("the '{{' that stands here is not closed")]
    Unclosed,
    /// A `{` where a statement should begin.
    #[error("a statement is missing before '{{'")]
    Headless,
    /// A `;` where a statement should begin.
    #[error("dhcpd does not accept a ';' of its own; remove it")]
    Empty,
    /// Something other than a word where a statement should begin.
    #[error("a statement begins with a word")]
    NoWord,
    /// A statement that runs into `}` or the end of the file.
    #[error("a ';' is missing here")]
    Unfinished,
    /// A keyword that needs a block.
    #[error("a block in braces is missing here")]
    NoBlock,
    /// A keyword that cannot have a block.
    #[error("a ';' is missing before this '{{'")]
    Block,
    /// `host` with no name, or with more than one.
    #[error("after 'host' comes one name, without quotes")]
    HostName,
    /// `include` without a string.
    #[error("after 'include' comes the path of a file, in double quotes")]
    IncludePath,
}

/// All statements of one file.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// In the order in which they begin, so that a block's statements follow it.
    pub statements: Vec<Statement>,
    /// What is wrong and at which offset, in the order in which it was found.
    pub faults: Vec<(usize, SyntaxFault)>,
}

impl Tree {
    /// Reads a file in one pass.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut growing = Growing { bytes, ..Growing::default() };
        for token in Lexer::meaningful(bytes, 0..bytes.len()) {
            growing.take(&token);
            growing.last_end = token.end();
        }
        growing.finish()
    }

    /// What stands directly in the block of a statement.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Statement)> {
        self.below(parent).filter(move |(_, statement)| statement.parent == Some(parent))
    }

    /// What stands in the block of a statement, and in blocks in it.
    pub fn below(&self, parent: usize) -> impl Iterator<Item = (usize, &Statement)> {
        let end = self.statements.get(parent).map_or(0, |statement| statement.end);
        let after = self.statements.iter().enumerate().skip(parent + 1);
        after.take_while(move |(_, statement)| statement.start < end)
    }
}

/// A statement whose end has not come yet.
#[derive(Clone, Copy)]
struct Begun {
    keyword: Keyword,
    start: usize,
    /// Braces of a record format that are open.
    braces: usize,
    /// Whether a label has just ended, after which a block may.
    after_colon: bool,
}

#[derive(Default)]
struct Growing<'a> {
    bytes: &'a [u8],
    tree: Tree,
    /// The blocks that are open, outermost first.
    open: Vec<usize>,
    begun: Option<Begun>,
    /// The end of the token before.
    last_end: usize,
    /// Whether the token before closed the block of a `key`.
    after_key: bool,
    /// A statement that begins with `%`, and how many of its braces are open.
    passed_over: Option<usize>,
    /// Where a byte 0 begins the file, while nothing has followed it.
    zero: Option<usize>,
}

impl Growing<'_> {
    fn take(&mut self, token: &Token<'_>) {
        let after_key = std::mem::take(&mut self.after_key);
        if let Some(braces) = self.passed_over {
            return self.pass_over(token, braces);
        }
        if self.is_zero_before_all(token) {
            return;
        }
        match token.kind {
            TokenKind::Open => self.open_block(token),
            TokenKind::Close => self.close_block(token),
            TokenKind::Semicolon if self.begun.is_none() && after_key => {}
            TokenKind::Semicolon => self.end_statement(token),
            TokenKind::Broken(fault) => {
                self.fault(token.start, SyntaxFault::Text(fault));
                self.go_on(token);
            }
            TokenKind::EndMark => self.fault(token.start, SyntaxFault::EndMark),
            _ => self.go_on(token),
        }
    }

    /// dhcpd passes over what begins with `%`, which is for Kea's migration assistant: up to `;`, to the `}` of a block, or to a
    /// `}` that should close what is around it (tried).
    fn pass_over(&mut self, token: &Token<'_>, braces: usize) {
        self.passed_over = match token.kind {
            TokenKind::Open => Some(braces + 1),
            TokenKind::Close => braces.checked_sub(1).filter(|left| *left > 0),
            TokenKind::Semicolon => Some(braces).filter(|open| *open > 0),
            TokenKind::Broken(fault) => {
                self.fault(token.start, SyntaxFault::Text(fault));
                Some(braces)
            }
            TokenKind::EndMark => {
                self.fault(token.start, SyntaxFault::EndMark);
                Some(braces)
            }
            _ => Some(braces),
        };
    }

    /// dhcpd passes over one byte 0 before the first statement, though not over one that nothing follows (tried).
    fn is_zero_before_all(&mut self, token: &Token<'_>) -> bool {
        let is_first = self.last_end == 0 && self.tree.faults.is_empty();
        match self.zero.take() {
            Some(zero) if token.kind != TokenKind::Word && !token.is_symbol(b'%') => {
                self.fault(zero, SyntaxFault::NoWord);
            }
            None if is_first && token.is_symbol(0) => {
                self.zero = Some(token.start);
                return true;
            }
            _ => {}
        }
        false
    }

    fn fault(&mut self, offset: usize, fault: SyntaxFault) {
        self.tree.faults.push((offset, fault));
    }

    /// A token that begins a statement or belongs to the one begun.
    fn go_on(&mut self, token: &Token<'_>) {
        if let Some(begun) = &mut self.begun {
            begun.after_colon = begun.keyword == Keyword::Label && token.is_symbol(b':');
            return;
        }
        if token.is_symbol(b'%') {
            self.passed_over = Some(0);
            return;
        }
        if token.kind != TokenKind::Word {
            self.fault(token.start, SyntaxFault::NoWord);
        }
        let keyword = Keyword::of(token);
        self.begun = Some(Begun { keyword, start: token.start, braces: 0, after_colon: false });
    }

    fn open_block(&mut self, token: &Token<'_>) {
        if let Some(Begun { keyword: Keyword::Option, braces, .. }) = &mut self.begun {
            *braces += 1;
            return;
        }
        let begun = self.begun.take().unwrap_or_else(|| {
            self.tree.faults.push((token.start, SyntaxFault::Headless));
            Begun { keyword: Keyword::Other, start: token.start, braces: 0, after_colon: false }
        });
        if begun.keyword.wants_block() == Some(false) {
            self.fault(token.start, SyntaxFault::Block);
        }
        self.add(begun, true);
        self.open.push(self.tree.statements.len() - 1);
    }

    fn close_block(&mut self, token: &Token<'_>) {
        if let Some(Begun { braces: braces @ 1.., .. }) = &mut self.begun {
            *braces -= 1;
            return;
        }
        self.break_off();
        let closed = self.open.pop().and_then(|index| self.tree.statements.get_mut(index));
        let Some(closed) = closed else { return self.fault(token.start, SyntaxFault::Unopened) };
        closed.end = token.end();
        self.after_key = closed.keyword == Keyword::Key;
    }

    fn end_statement(&mut self, token: &Token<'_>) {
        let Some(begun) = self.begun.take() else { return self.fault(token.start, SyntaxFault::Empty) };
        if begun.braces > 0 {
            self.fault(token.start, SyntaxFault::Unclosed);
        }
        if begun.keyword.wants_block() == Some(true) {
            self.fault(token.start, SyntaxFault::NoBlock);
        }
        self.add(begun, false);
        if let Some(statement) = self.tree.statements.last_mut() {
            statement.end = token.end();
        }
    }

    /// What has begun will not end: a `}` or the end of the file came first.
    fn break_off(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        if !begun.after_colon {
            self.fault(self.last_end, SyntaxFault::Unfinished);
        }
        self.add(begun, false);
    }

    fn add(&mut self, begun: Begun, has_block: bool) {
        let Begun { keyword, start, .. } = begun;
        let statement = Statement {
            keyword,
            start,
            head_end: self.last_end.max(start),
            end: if has_block { self.bytes.len() } else { self.last_end },
            has_block,
            parent: self.open.last().copied(),
        };
        match keyword {
            Keyword::Host if host_name(self.bytes, &statement).is_none() => {
                self.fault(start, SyntaxFault::HostName)
            }
            Keyword::Include if sole_text(self.bytes, &statement).is_none() => {
                self.fault(start, SyntaxFault::IncludePath);
            }
            _ => {}
        }
        self.tree.statements.push(statement);
    }

    fn finish(mut self) -> Tree {
        self.break_off();
        if let Some(zero) = self.zero {
            self.fault(zero, SyntaxFault::NoWord);
        }
        for index in std::mem::take(&mut self.open) {
            let opened = self.tree.statements.get(index).map_or(0, |statement| statement.head_end);
            let brace = Lexer::meaningful(self.bytes, opened..self.bytes.len()).next();
            self.fault(brace.map_or(opened, |token| token.start), SyntaxFault::Unclosed);
        }
        self.tree
    }
}

/// The name of a host: words with dots between them, which dhcpd lets stand apart.
pub fn host_name(bytes: &[u8], statement: &Statement) -> Option<String> {
    let mut name = String::new();
    let mut wants_word = true;
    for token in Lexer::meaningful(bytes, statement.head()).skip(1) {
        let fits = if wants_word { token.kind == TokenKind::Word } else { token.is_symbol(b'.') };
        // A dot may be the last, so that after one a word or nothing follows.
        if !fits {
            return None;
        }
        // Words and dots are ASCII.
        name.push_str(std::str::from_utf8(token.bytes).ok()?);
        wants_word = !wants_word;
    }
    (!name.is_empty()).then_some(name)
}

/// The one string that follows the keyword, with its quotes and its offset; `None` if there is anything else.
pub fn sole_text<'a>(bytes: &'a [u8], statement: &Statement) -> Option<Token<'a>> {
    let mut tokens = Lexer::meaningful(bytes, statement.head()).skip(1);
    let text = tokens.next().filter(|token| token.kind == TokenKind::Text)?;
    tokens.next().is_none().then_some(text)
}
