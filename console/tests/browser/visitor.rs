//! A person who has logged in, before a console of 300 clients.

use ghostctl::sample::BootServer;

use super::chromium::Chromium;
use super::simulated::folder;
use super::simulated::night::night;
use super::simulated::program::Program;

pub(crate) struct Visitor {
    pub(crate) chromium: Chromium,
    pub(crate) console: Program,
    pub(crate) server: BootServer,
    _folder: tempfile::TempDir,
}

impl Visitor {
    /// Logs in as a person does: by typing the token.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let folder = folder();
        let server = night(folder.path());
        Self::at(folder, server, arguments)
    }

    pub(crate) fn at(folder: tempfile::TempDir, server: BootServer, arguments: &[&str]) -> Self {
        let console = Program::start(folder.path(), arguments);
        let mut chromium = Chromium::start();
        chromium.load(&console.place);
        chromium.wait_until("document.activeElement.id === 'token'");
        chromium.types(&console.token);
        chromium.press("Enter");
        chromium.wait_until("document.getElementById('wall') !== null");
        // The first page says 401, which the browser logs.
        chromium.troubles();
        Self { chromium, console, server, _folder: folder }
    }

    pub(crate) fn load(&mut self, path: &str) {
        let address = self.address(path);
        self.chromium.load(&address);
    }

    /// The same without waiting for pictures.
    pub(crate) fn load_text(&mut self, path: &str) {
        let address = self.address(path);
        self.chromium.load_text(&address);
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.console.place.trim_end_matches('/'))
    }
}
