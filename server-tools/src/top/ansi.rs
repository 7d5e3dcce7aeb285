//! What a terminal is sent so that it shows a frame: the cells that have changed, as ECMA-48 has it. Pure: bytes are gathered
//! here, and written elsewhere.

use std::convert::Infallible;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// The alternate screen, without a cursor, and lines that end at its edge.
pub(crate) const BEGIN: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[0m\x1b[2J";
/// All of that undone.
pub(crate) const END: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Gathers what is to be sent.
#[derive(Debug, Default)]
pub(crate) struct Ansi {
    size: Size,
    bytes: Vec<u8>,
}

impl Ansi {
    pub(crate) const fn of(size: Size) -> Self {
        Self { size, bytes: Vec::new() }
    }

    /// Draws for a terminal of this size from now on. Says whether it had another one before.
    pub(crate) fn size_is_new(&mut self, size: Size) -> bool {
        std::mem::replace(&mut self.size, size) != size
    }

    /// What was gathered since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn send(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

impl Backend for Ansi {
    type Error = Infallible;

    fn draw<'a, I>(&mut self, content: I) -> Result<(), Infallible>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut style = None;
        let mut next = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                self.set_cursor_position((x, y))?;
            }
            if style != Some((cell.fg, cell.modifier)) {
                self.send(&rendition(cell.fg, cell.modifier));
                style = Some((cell.fg, cell.modifier));
            }
            self.send(cell.symbol());
            // What stands after a character of two cells is told of by its own place.
            next = (cell.symbol().len() == 1).then_some((x + 1, y));
        }
        self.send("\x1b[0m");
        Ok(())
    }

    fn hide_cursor(&mut self) -> Result<(), Infallible> {
        self.send("\x1b[?25l");
        Ok(())
    }

    fn show_cursor(&mut self) -> Result<(), Infallible> {
        self.send("\x1b[?25h");
        Ok(())
    }

    fn get_cursor_position(&mut self) -> Result<Position, Infallible> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Infallible> {
        let Position { x, y } = position.into();
        self.send(&format!("\x1b[{};{}H", y + 1, x + 1));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Infallible> {
        self.send("\x1b[0m\x1b[2J");
        Ok(())
    }

    fn clear_region(&mut self, clear_type: ClearType) -> Result<(), Infallible> {
        self.send(match clear_type {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> Result<Size, Infallible> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> Result<WindowSize, Infallible> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Select Graphic Rendition, for the few colours that frames have.
fn rendition(colour: Color, modifier: Modifier) -> String {
    let mut text = "\x1b[0".to_owned();
    let modifiers = [(Modifier::BOLD, ";1"), (Modifier::REVERSED, ";7")];
    modifiers.iter().filter(|(one, _)| modifier.contains(*one)).for_each(|(_, code)| text.push_str(code));
    text.push_str(match colour {
        Color::Red => ";31",
        Color::Green => ";32",
        Color::Yellow => ";33",
        _ => "",
    });
    text + "m"
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::style::Style;

    #[test]
    fn only_what_has_changed_is_sent_and_with_its_colour() {
        let mut terminal = Terminal::new(Ansi::of(Size::new(6, 2))).unwrap();
        terminal.draw(|frame| frame.buffer_mut().set_string(0, 1, "ab", Style::new().red().bold())).unwrap();
        let sent = String::from_utf8(terminal.backend_mut().take()).unwrap();
        assert!(sent.contains("\x1b[2;1H\x1b[0;1;31mab"), "{sent:?}");
        terminal.draw(|frame| frame.buffer_mut().set_string(0, 1, "ac", Style::new().red().bold())).unwrap();
        let sent = String::from_utf8(terminal.backend_mut().take()).unwrap();
        assert!(sent.contains("\x1b[2;2H\x1b[0;1;31mc\x1b[0m") && !sent.contains('a'), "{sent:?}");
    }

    #[test]
    fn all_that_is_switched_on_at_the_beginning_is_switched_back_at_the_end() {
        let modes = |bytes: &[u8], on: char| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let found = text.split("\x1b[?").skip(1).filter_map(|rest| {
                let (number, last) = rest.split_at(rest.find(['h', 'l'])?);
                last.starts_with(on).then(|| number.to_owned())
            });
            let mut found: Vec<String> = found.collect();
            found.sort();
            found
        };
        assert_eq!(modes(BEGIN, 'h'), modes(END, 'l'));
        assert_eq!(modes(BEGIN, 'l'), modes(END, 'h'));
        assert_eq!(modes(END, 'h').len() + modes(END, 'l').len(), 3);
    }
}
