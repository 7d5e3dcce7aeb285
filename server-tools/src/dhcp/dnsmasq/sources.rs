//! A configuration's files in the order in which dnsmasq reads them, as lines with the option that each of them sets.
//!
//! Does not open files: whoever reads says what a file holds, and what is in a folder.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::lines::{items, lines, option, unquote};
use crate::place::{Lines, Place};

/// How many files one configuration may have. A guard against files that name each other ever more often.
const MOST_FILES: usize = 1_000;
/// What Debian's service passes over in its folder.
const LEFT_OUT: [&str; 3] = [".dpkg-dist", ".dpkg-old", ".dpkg-new"];

/// What a file's lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dhcp) enum Role {
    /// Options, read when dnsmasq starts.
    Configuration,
    /// Values of `dhcp-host`, read again by a signal.
    Hosts,
    /// Values of `dhcp-option`, read again by a signal.
    Options,
}

impl Role {
    /// The option that each line of such a file is a value of; none where it says so itself.
    pub(in crate::dhcp) const fn option(self) -> Option<&'static str> {
        match self {
            Self::Configuration => None,
            Self::Hosts => Some("dhcp-host"),
            Self::Options => Some("dhcp-option"),
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::dhcp) struct Source {
    pub(in crate::dhcp) path: PathBuf,
    pub(in crate::dhcp) bytes: Vec<u8>,
    pub(in crate::dhcp) role: Role,
    /// Whether dnsmasq sees by itself that it has changed.
    pub(in crate::dhcp) is_watched: bool,
    /// Known once a place is asked for.
    lines: OnceLock<Lines>,
}

/// A line of one of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dhcp) struct Entry {
    pub(in crate::dhcp) file: usize,
    pub(in crate::dhcp) option: String,
    /// What the option is set to.
    pub(in crate::dhcp) value: Range<usize>,
    /// What is between the commas of that.
    pub(in crate::dhcp) items: Vec<Range<usize>>,
}

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{place}: cannot read {}\n{}", path.display(), place.excerpt())]
    Named { place: Box<Place>, path: PathBuf, source: io::Error },
    #[error("{place}: more than {MOST_FILES} files belong to this configuration\n{}", place.excerpt())]
    TooMany { place: Box<Place> },
}

/// What the files and folders hold.
pub struct Content<'a> {
    pub file: &'a mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    /// The files in a folder, in any order.
    pub folder: &'a mut dyn FnMut(&Path) -> io::Result<Vec<PathBuf>>,
}

#[derive(Debug, Clone, Default)]
pub(in crate::dhcp) struct Sources {
    pub(in crate::dhcp) files: Vec<Source>,
    pub(in crate::dhcp) entries: Vec<Entry>,
}

impl Sources {
    /// A file with all that belongs to it. `besides` is a folder of more, named where the server is started.
    pub(in crate::dhcp) fn read(
        path: &Path,
        bytes: Vec<u8>,
        besides: Option<&Path>,
        content: &mut Content<'_>,
    ) -> Result<Self, ReadError> {
        let mut sources = Self::default();
        sources.configuration(path.to_owned(), bytes, content)?;
        if let Some(folder) = besides {
            let names: Vec<String> = LEFT_OUT.map(str::to_owned).into();
            for path in shown((content.folder)(folder).unwrap_or_default(), &names) {
                // One that is gone by now is not read by the server either.
                let Ok(bytes) = (content.file)(&path) else { continue };
                sources.configuration(path, bytes, content)?;
            }
        }
        sources.read_again_by_signal(content)?;
        Ok(sources)
    }

    /// A configuration that is one file, whatever it names.
    pub(in crate::dhcp) fn of_configuration(path: &Path, bytes: Vec<u8>) -> Self {
        let mut sources = Self::default();
        sources.add(path.to_owned(), bytes, |_, _| Role::Configuration);
        sources
    }

    /// One file alone, which nothing tells of what its lines are: only files that are read again need to be told apart.
    pub(in crate::dhcp) fn of_one_file(path: &Path, bytes: Vec<u8>) -> Self {
        let mut sources = Self::default();
        sources.add(path.to_owned(), bytes, |bytes, line| {
            let (name, _) = option(bytes, line.clone());
            if ["dhcp-host", "dhcp-option", "dhcp-option-force"]
                .iter()
                .any(|known| known.as_bytes() == &bytes[name.clone()])
            {
                return Role::Configuration;
            }
            match is_tag(&unquote(&bytes[items(bytes, line).first().cloned().unwrap_or_default()])) {
                true => Role::Options,
                false => Role::Hosts,
            }
        });
        sources
    }

    fn configuration(
        &mut self,
        path: PathBuf,
        bytes: Vec<u8>,
        content: &mut Content<'_>,
    ) -> Result<(), ReadError> {
        // dnsmasq reads no file twice.
        if self.files.iter().any(|source| source.path == path) {
            return Ok(());
        }
        let first = self.entries.len();
        self.add(path, bytes, |_, _| Role::Configuration);
        for entry in first..self.entries.len() {
            let (is_file, is_folder) = match self.entries[entry].option.as_str() {
                "conf-file" => (true, false),
                "conf-dir" => (false, true),
                _ => continue,
            };
            let named = self.named(entry);
            let Some((path, endings)) = named.split_first() else { continue };
            let path = PathBuf::from(path);
            let unread = |sources: &Self, path: &Path, source| ReadError::Named {
                place: Box::new(sources.place(entry)),
                path: path.to_owned(),
                source,
            };
            let mut files = Vec::new();
            if is_file {
                files.push(path);
            } else if is_folder {
                let listed = (content.folder)(&path).map_err(|error| unread(self, &path, error))?;
                files = shown(listed, endings);
            }
            for file in files {
                self.require_room(entry)?;
                let bytes = (content.file)(&file).map_err(|error| unread(self, &file, error))?;
                self.configuration(file, bytes, content)?;
            }
        }
        Ok(())
    }

    /// The files that are read again by a signal. dnsmasq goes on without one that it cannot read.
    fn read_again_by_signal(&mut self, content: &mut Content<'_>) -> Result<(), ReadError> {
        for entry in 0..self.entries.len() {
            let role = match self.entries[entry].option.as_str() {
                "dhcp-hostsfile" | "dhcp-hostsdir" => Role::Hosts,
                "dhcp-optsfile" | "dhcp-optsdir" => Role::Options,
                _ => continue,
            };
            // One that names nothing is not read, and not the folder that an empty path would lead to.
            for path in self.named(entry).into_iter().filter(|path| !path.is_empty()) {
                let path = PathBuf::from(path);
                let files = match (content.folder)(&path) {
                    Ok(listed) => shown(listed, &[]),
                    Err(_) => vec![path],
                };
                for file in files {
                    self.require_room(entry)?;
                    match (content.file)(&file) {
                        Ok(bytes) => {
                            self.add(file, bytes, |_, _| role);
                            let is_watched = self.entries[entry].option == "dhcp-optsdir";
                            self.files.iter_mut().rev().take(1).for_each(|file| file.is_watched = is_watched);
                        }
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(source) => {
                            let place = Box::new(self.place(entry));
                            return Err(ReadError::Named { place, path: file, source });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn require_room(&self, entry: usize) -> Result<(), ReadError> {
        let is_full = self.files.len() >= MOST_FILES;
        if is_full { Err(ReadError::TooMany { place: Box::new(self.place(entry)) }) } else { Ok(()) }
    }

    fn add(&mut self, path: PathBuf, bytes: Vec<u8>, role: impl Fn(&[u8], Range<usize>) -> Role) {
        let file = self.files.len();
        let mut of_file = Role::Configuration;
        for line in lines(&bytes) {
            let role = role(&bytes, line.clone());
            let (option, value) = match role.option() {
                Some(option) => (option.to_owned(), line),
                None => {
                    let (name, value) = option(&bytes, line);
                    (String::from_utf8_lossy(&bytes[name]).into_owned(), value)
                }
            };
            of_file = role;
            let items = items(&bytes, value.clone());
            self.entries.push(Entry { file, option, value, items });
        }
        // A file without a line is what whoever names it says.
        if self.entries.last().is_none_or(|entry| entry.file != file) {
            of_file = role(b"", 0..0);
        }
        self.files.push(Source { path, bytes, role: of_file, is_watched: false, lines: OnceLock::new() });
    }

    /// What the items of an entry mean.
    pub(in crate::dhcp) fn named(&self, entry: usize) -> Vec<String> {
        self.entries[entry].items.iter().map(|item| self.meant(entry, item)).collect()
    }

    /// The interfaces that are named to listen on.
    pub(in crate::dhcp) fn interfaces(&self) -> Vec<String> {
        let lines = self.entries.iter().enumerate().filter(|(_, entry)| entry.option == "interface");
        lines.flat_map(|(place, _)| self.named(place)).collect()
    }

    /// The same; none if addresses are named too, since it listens on their interfaces as well.
    pub(in crate::dhcp) fn listens_on(&self) -> Vec<String> {
        let has_addresses = self.entries.iter().any(|entry| entry.option == "listen-address");
        if has_addresses { Vec::new() } else { self.interfaces() }
    }

    /// What a stretch of an entry's file means.
    pub(in crate::dhcp) fn meant(&self, entry: usize, stretch: &Range<usize>) -> String {
        String::from_utf8_lossy(&unquote(self.bytes(entry, stretch))).into_owned()
    }

    pub(in crate::dhcp) fn bytes(&self, entry: usize, stretch: &Range<usize>) -> &[u8] {
        self.files[self.entries[entry].file].bytes.get(stretch.clone()).unwrap_or_default()
    }

    pub(in crate::dhcp) fn source(&self, entry: usize) -> &Source {
        &self.files[self.entries[entry].file]
    }

    /// Where what an entry's option is set to begins.
    pub(in crate::dhcp) fn place(&self, entry: usize) -> Place {
        self.place_at(entry, self.entries[entry].value.start)
    }

    /// A place in the file of an entry.
    pub(in crate::dhcp) fn place_at(&self, entry: usize, offset: usize) -> Place {
        let source = self.source(entry);
        let lines = source.lines.get_or_init(|| Lines::of(&source.bytes));
        lines.place(&source.path, &source.bytes, offset)
    }
}

/// Whether an item is a tag that must be set.
pub(in crate::dhcp) fn is_tag(item: &[u8]) -> bool {
    item.starts_with(b"tag:") || item.starts_with(b"net:")
}

/// The files that dnsmasq reads of a folder, in its order: none that is hidden or an editor's, none with an ending that is left out,
/// and, where endings with a star are named, only those.
fn shown(files: Vec<PathBuf>, endings: &[String]) -> Vec<PathBuf> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (only, without): (Vec<&str>, Vec<&str>) = endings
        .iter()
        .map(String::as_str)
        .filter(|ending| !ending.is_empty())
        .partition(|ending| ending.starts_with('*'));
    let is_read = |path: &PathBuf| {
        let name = name(path);
        let is_odd =
            name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#'));
        let is_wanted =
            only.is_empty() || only.iter().any(|ending| name.ends_with(ending.trim_start_matches('*')));
        !is_odd && is_wanted && !without.iter().any(|ending| name.ends_with(ending))
    };
    let mut files: Vec<PathBuf> = files.into_iter().filter(is_read).collect();
    files.sort();
    files
}
