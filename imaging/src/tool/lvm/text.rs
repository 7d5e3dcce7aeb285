//! LVM's text format: what a volume group's metadata are written in (LVM2, `lib/config/config.c`).
//!
//! ```text
//! vg { id = "…" seqno = 3 status = ["READ", "WRITE"] physical_volumes { pv0 { … } } } # a comment
//! ```

/// A value, or a section with its entries in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Section(Section),
}

/// All entries between two braces, or of a whole text, each with its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Section(pub Vec<(String, Value)>);

/// Sections and lists are not nested deeper than this: LVM itself writes four levels.
const DEEPEST: usize = 8;

impl Section {
    /// Reads all of a text; none if it is not in this format.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = Rest(text);
        let section = rest.entries(0)?;
        rest.token().is_none().then_some(section)
    }

    /// The only entry with this name: of two it is not known which one counts.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let first = found.next();
        first.filter(|_| found.next().is_none()).map(|(_, value)| value)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self, name: &str) -> Option<&[Value]> {
        match self.get(name)? {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Self> {
        match self.get(name)? {
            Value::Section(section) => Some(section),
            _ => None,
        }
    }

    /// Its sections with their names, in order.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }
}

/// What has not been read.
struct Rest<'a>(&'a str);

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    Sign(char),
    Text(String),
    /// A name or a number.
    Word(&'a str),
}

const SIGNS: &str = "{}[]=,";

impl<'a> Rest<'a> {
    fn token(&mut self) -> Option<Token<'a>> {
        loop {
            self.0 = self.0.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\0');
            let Some(comment) = self.0.strip_prefix('#') else { break };
            self.0 = comment.split_once('\n').map_or("", |(_, behind)| behind);
        }
        let first = self.0.chars().next()?;
        if SIGNS.contains(first) {
            self.0 = self.0.get(first.len_utf8()..)?;
            return Some(Token::Sign(first));
        }
        if first == '"' {
            return self.quoted();
        }
        let ends =
            |c: char| c.is_ascii_whitespace() || c == '\0' || c == '"' || c == '#' || SIGNS.contains(c);
        let end = self.0.find(ends).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        Some(Token::Word(word))
    }

    fn quoted(&mut self) -> Option<Token<'a>> {
        let mut text = String::new();
        let mut characters = self.0.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(Token::Text(text));
                }
                '\\' => text.push(characters.next()?.1),
                other => text.push(other),
            }
        }
        None
    }

    /// Up to the end, or up to the bracket that closes them, which is not taken.
    fn entries(&mut self, depth: usize) -> Option<Section> {
        let mut entries = Vec::new();
        loop {
            let before = self.0;
            let name = match self.token() {
                Some(Token::Word(name)) => name.to_owned(),
                Some(Token::Sign('}')) if depth > 0 => {
                    self.0 = before;
                    return Some(Section(entries));
                }
                Some(_) => return None,
                None => return self.0.is_empty().then_some(Section(entries)),
            };
            let value = match self.token()? {
                Token::Sign('{') if depth < DEEPEST => {
                    let section = self.entries(depth + 1)?;
                    (self.token()? == Token::Sign('}')).then_some(Value::Section(section))?
                }
                Token::Sign('=') => self.value(depth)?,
                _ => return None,
            };
            entries.push((name, value));
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.token()? {
            Token::Text(text) => Some(Value::Text(text)),
            Token::Word(word) => {
                Some(word.parse().map_or_else(|_| Value::Text(word.to_owned()), Value::Number))
            }
            Token::Sign('[') if depth < DEEPEST => self.list(depth + 1),
            Token::Sign(_) => None,
        }
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut list = Vec::new();
        loop {
            let before = self.0;
            if self.token()? == Token::Sign(']') {
                return Some(Value::List(list));
            }
            self.0 = before;
            list.push(self.value(depth)?);
            match self.token()? {
                Token::Sign(',') => {}
                Token::Sign(']') => return Some(Value::List(list)),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_and_values_are_read() {
        let text = "vg {\nid = \"a\\\"b\" # comment }\nseqno = 3\nlist = [\n\"x\", 4\n]\nempty = []\nsub { n=1 }\n}\n\
            # Generated\nversion = 1\n\0";
        let read = Section::parse(text).unwrap();
        let group = read.section("vg").unwrap();
        assert_eq!((group.text("id"), group.number("seqno")), (Some("a\"b"), Some(3)));
        assert_eq!(group.list("list").unwrap(), [Value::Text("x".to_owned()), Value::Number(4)]);
        assert_eq!(group.list("empty").unwrap(), []);
        assert_eq!(group.section("sub").unwrap().number("n"), Some(1));
        assert_eq!(read.number("version"), Some(1));
        assert_eq!(group.sections().map(|(name, _)| name).collect::<Vec<_>>(), ["sub"]);
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        for text in
            ["a {", "a }", "a = ", "a = [1", "a = \"x", "a b", "= 1", "a { b = 1", "a = [1 2]", "a = { }"]
        {
            assert_eq!(Section::parse(text), None, "{text}");
        }
        assert_eq!(Section::parse(&"a {".repeat(100_000)), None);
        assert_eq!(Section::parse(&format!("a = {}", "[".repeat(100_000))), None);
    }

    #[test]
    fn of_two_with_one_name_neither_counts() {
        let read = Section::parse("a = 1 a = 2 b { } b { } c = 3").unwrap();
        assert_eq!((read.get("a"), read.get("b"), read.number("c")), (None, None, Some(3)));
    }
}
