//! Follows the reports of clients: each new line becomes an event of its job.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use ghost_contract::report::Reader;

use crate::job::Event;
use crate::sys::watch::{Watch, Watched};
use crate::tree::Tree;

/// How much of a report is read at once, bytes.
const READ_AT_ONCE: u64 = 1 << 20;

/// A report, read up to here.
#[derive(Debug)]
struct Followed {
    tree: Tree,
    reader: Reader,
    offset: u64,
    left_out: LeftOut,
}

/// What of a report is beyond its bounds: how much so far, and how much of that people know of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LeftOut {
    lines: u64,
    bytes: u64,
    told: u64,
}

#[derive(Debug)]
pub(crate) struct Reports {
    watch: Watch,
    /// By the place of the job in the list.
    followed: BTreeMap<usize, Followed>,
    watched: HashMap<Watched, usize>,
}

impl Reports {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { watch: Watch::new()?, followed: BTreeMap::new(), watched: HashMap::new() })
    }

    /// Follows the report in a new tree, from its first byte.
    pub(crate) fn follow(&mut self, index: usize, tree: Tree) {
        // Without a watch, look_at_all still finds what is written.
        if let Ok(watched) = tree.report_folder().and_then(|folder| self.watch.add_open(&folder)) {
            self.watched.insert(watched, index);
        }
        let followed = Followed { tree, reader: Reader::default(), offset: 0, left_out: LeftOut::default() };
        self.followed.insert(index, followed);
    }

    /// Wakes the loop when something is written to this folder as well.
    pub(crate) fn watch_also(&self, folder: &Path) -> io::Result<()> {
        self.watch.add(folder).map(|_no_report| ())
    }

    /// Reads all reports, whether or not the kernel says that they have changed.
    pub(crate) fn look_at_all(&mut self) -> Vec<(usize, Event)> {
        self.followed.iter_mut().flat_map(|(index, followed)| followed.read(*index)).collect()
    }

    /// Reads the reports that the kernel says have changed.
    pub(crate) fn written(&mut self) -> Vec<(usize, Event)> {
        let written = self.watch.take().unwrap_or_default();
        let mut events = Vec::new();
        for index in written.iter().filter_map(|watched| self.watched.get(watched)) {
            let followed = self.followed.get_mut(index);
            events.extend(followed.map(|followed| followed.read(*index)).unwrap_or_default());
        }
        events
    }

    /// Becomes readable when something is written.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }
}

impl Followed {
    /// The lines that were written since the last call.
    fn read(&mut self, index: usize) -> Vec<(usize, Event)> {
        let Ok(more) = self.tree.more_of_report(self.offset, READ_AT_ONCE) else { return Vec::new() };
        if more.from != self.offset {
            self.left_out.bytes += more.from.saturating_sub(self.offset);
            self.reader.pass_over();
        }
        let read = self.reader.read(&more.bytes);
        self.left_out.lines += read.left_out;
        self.offset = more.from + u64::try_from(read.used).unwrap_or_default();
        let decides = read.entries.iter().any(|entry| entry.event.decides());
        let left_out = self.left_out.news(decides).map(Event::LeftOut);
        let said = read.entries.into_iter().map(Event::Reported);
        let muttered = read.unknown.into_iter().map(Event::Muttered);
        left_out.into_iter().chain(said).chain(muttered).map(|event| (index, event)).collect()
    }
}

impl LeftOut {
    /// How much it is in words, when it is twice what people know of, and when something is said that decides: a client that
    /// says too much is not told of each time.
    fn news(&mut self, decides: bool) -> Option<String> {
        let all = self.lines.saturating_add(self.bytes);
        let is_news = all > self.told && (decides || all / 2 >= self.told);
        is_news.then(|| {
            self.told = all;
            format!(
                "its report is too large: {} lines and {} bytes of it were left out",
                self.lines, self.bytes
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Write as _;

    use ghost_contract::bounds;

    const ENDED: &str = "{\"at\":0,\"uptime\":0,\"event\":\"ended\",\"outcome\":\"succeeded\"}\n";

    /// The report of pc2, which its client may make anything of, and what was followed of it.
    struct Report {
        _folder: tempfile::TempDir,
        file: File,
        followed: Followed,
    }

    impl Report {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let var = folder.path().join("192.168.7.2var/ghost");
            fs::create_dir_all(&var).unwrap();
            let file = File::options().append(true).create(true).open(var.join("report.jsonl")).unwrap();
            let tree = Tree::of(folder.path(), [192, 168, 7, 2].into());
            let followed =
                Followed { tree, reader: Reader::default(), offset: 0, left_out: LeftOut::default() };
            Self { _folder: folder, file, followed }
        }

        fn heard(&mut self) -> Vec<Event> {
            self.followed.read(0).into_iter().map(|(_, event)| event).collect()
        }
    }

    fn is_ended(event: &Event) -> bool {
        matches!(event, Event::Reported(entry) if entry.event.decides())
    }

    fn left_out(events: &[Event]) -> Vec<&str> {
        events
            .iter()
            .filter_map(|event| if let Event::LeftOut(words) = event { Some(&**words) } else { None })
            .collect()
    }

    #[test]
    fn of_a_report_of_a_gigabyte_the_end_is_heard_at_once_and_the_rest_is_counted() {
        let mut report = Report::new();
        report.file.set_len(1 << 30).unwrap();
        write!(report.file, "\n{ENDED}").unwrap();
        let heard = report.heard();
        assert!(heard.iter().any(is_ended), "{heard:?}");
        let passed_over = (1 << 30) + 1 + ENDED.len() as u64 - READ_AT_ONCE;
        let expected =
            format!("its report is too large: 0 lines and {passed_over} bytes of it were left out");
        assert_eq!(left_out(&heard), [expected]);
        assert_eq!(report.heard(), []);
    }

    #[test]
    fn a_line_without_end_is_left_out_once_and_what_follows_is_heard() {
        let mut report = Report::new();
        report.file.write_all(&vec![b'x'; bounds::REPORT_LINE * 3]).unwrap();
        assert_eq!(
            left_out(&report.heard()),
            ["its report is too large: 1 lines and 0 bytes of it were left out"]
        );
        write!(report.file, "\n{ENDED}").unwrap();
        assert!(matches!(&*report.heard(), [one] if is_ended(one)));
    }

    #[test]
    fn a_report_that_was_cut_is_followed_from_its_new_end() {
        let mut report = Report::new();
        write!(report.file, "{ENDED}{ENDED}").unwrap();
        assert_eq!(report.heard().len(), 2);
        report.file.set_len(3).unwrap();
        assert_eq!(report.heard(), []);
        write!(report.file, "\n{ENDED}").unwrap();
        assert!(report.heard().iter().any(is_ended));
    }

    #[test]
    fn people_are_told_of_what_is_left_out_now_and_then_and_of_all_of_it_at_the_end() {
        let mut left_out = LeftOut::default();
        let mut told = 0;
        for lines in 1..=1_000 {
            left_out.lines = lines;
            told += usize::from(left_out.news(false).is_some());
        }
        assert!(told < 12, "{told}");
        assert!(left_out.news(true).unwrap().contains("1000 lines"));
        assert_eq!(left_out.news(true), None);
    }
}
