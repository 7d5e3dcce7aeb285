//! Running the entries of a table side by side: most of the time of each partclone waits for its own clock.

use std::panic;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Its name, and what makes a disk and says what must be so of it.
pub(crate) type Entry = (&'static str, fn());

/// As many at once.
const WORKERS: usize = 8;

/// Functions with their names.
macro_rules! entries {
    ($($name:ident,)*) => { &[$((stringify!($name), $name as fn())),*] };
}
pub(crate) use entries;

/// Runs them all, or those that `LAYOUT` is a part of the name of, and names those that fail.
pub(crate) fn all(entries: &[Entry]) {
    let only = std::env::var("LAYOUT").unwrap_or_default();
    let chosen: Vec<&Entry> = entries.iter().filter(|(name, _)| name.contains(&only)).collect();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((name, entry)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panicked) = panic::catch_unwind(entry) {
                        let said = panicked.downcast_ref::<String>().cloned();
                        let said =
                            said.or_else(|| panicked.downcast_ref::<&str>().map(|&said| said.to_owned()));
                        failed.lock().unwrap().push(format!("{name}: {}", said.unwrap_or_default()));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} layouts:\n{}", failed.len(), chosen.len(), failed.join("\n"));
}
