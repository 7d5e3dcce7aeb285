//! What a person sees who looks at the client's screen from across a room. Pure: progress in, text out.

use ghost_contract::image::{Phase, Progress, SavedPart};

/// The rows of a large character.
const ROWS: usize = 5;
/// Each cell of it is drawn so wide, or less where a word would not fit, and so high: 80x25 is the smallest screen.
const WIDE: usize = 3;
const HIGH: usize = 2;
/// The bar's width, characters; nothing large is wider.
const BAR: usize = 76;

/// A character in cells, three wide where that is enough to know it: the digits, and the letters of the phases.
const fn glyph(character: char) -> Option<[&'static str; ROWS]> {
    Some(match character {
        '0' => ["███", "█ █", "█ █", "█ █", "███"],
        '1' => ["  █", "  █", "  █", "  █", "  █"],
        '2' => ["███", "  █", "███", "█  ", "███"],
        '3' => ["███", "  █", "███", "  █", "███"],
        '4' => ["█ █", "█ █", "███", "  █", "  █"],
        '5' => ["███", "█  ", "███", "  █", "███"],
        '6' => ["███", "█  ", "███", "█ █", "███"],
        '7' => ["███", "  █", "  █", "  █", "  █"],
        '8' => ["███", "█ █", "███", "█ █", "███"],
        '9' => ["███", "█ █", "███", "  █", "███"],
        '%' => ["█   █", "   █ ", "  █  ", " █   ", "█   █"],
        'A' => ["███", "█ █", "███", "█ █", "█ █"],
        'C' => ["███", "█  ", "█  ", "█  ", "███"],
        'D' => ["██ ", "█ █", "█ █", "█ █", "██ "],
        'E' => ["███", "█  ", "██ ", "█  ", "███"],
        'G' => ["███", "█  ", "█ █", "█ █", "███"],
        'H' => ["█ █", "█ █", "███", "█ █", "█ █"],
        'I' => ["███", " █ ", " █ ", " █ ", "███"],
        'K' => ["█ █", "█ █", "██ ", "█ █", "█ █"],
        'N' => ["█  █", "██ █", "█ ██", "█  █", "█  █"],
        'R' => ["██ ", "█ █", "██ ", "█ █", "█ █"],
        'S' => ["███", "█  ", "███", "  █", "███"],
        'T' => ["███", " █ ", " █ ", " █ ", " █ "],
        'U' => ["█ █", "█ █", "█ █", "█ █", "███"],
        'V' => ["█ █", "█ █", "█ █", "█ █", " █ "],
        'W' => ["█   █", "█   █", "█ █ █", "█ █ █", " █ █ "],
        'Y' => ["█ █", "█ █", " █ ", " █ ", " █ "],
        'Z' => ["███", "  █", " █ ", "█  ", "███"],
        _ => return None,
    })
}

/// What is being done, in words, for a phase of which nobody knows yet how much there is to do.
const fn what(phase: Phase) -> &'static str {
    match phase {
        Phase::Surveying => "looking at the disk, and what is on it",
        Phase::Checking => "reading the image",
        Phase::Reading => "reading the disk",
        Phase::Shrinking => "making a file system smaller, beside the disk",
        Phase::Writing => "writing the disk",
        Phase::Resizing => "giving the last partition the room of the larger disk",
    }
}

/// How much is done, in hundredths; 100 only when all is.
pub fn percent(progress: &Progress) -> u64 {
    let part = u128::from(progress.done) * 100;
    part.checked_div(u128::from(progress.total)).and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
}

/// The whole screen for a terminal, from its upper left corner.
pub fn large(progress: &Progress, title: &str) -> String {
    let mut screen = String::from("\x1b[H");
    let mut line = |text: &str| {
        screen += text;
        screen += "\x1b[K\r\n";
    };
    line(&format!("  {title}: {}{}", progress.phase.as_str(), disk(progress)));
    line("");
    let percent = percent(progress);
    let word = match progress.total {
        0 => progress.phase.as_str().to_uppercase(),
        _ => format!("{percent}%"),
    };
    for row in drawn(&word) {
        for _ in 0..HIGH {
            line(&format!("  {row}"));
        }
    }
    line("");
    if progress.total > 0 {
        let full = usize::try_from(percent).unwrap_or(0) * BAR / 100;
        line(&format!("  {}{}", "█".repeat(full), "░".repeat(BAR.saturating_sub(full))));
        line("");
    }
    for known in known(progress) {
        line(&format!("  {known}"));
    }
    screen + "\x1b[J"
}

/// A word in large characters, row by row, as wide as there is room.
fn drawn(word: &str) -> [String; ROWS] {
    let glyphs: Vec<[&str; ROWS]> = word.chars().filter_map(glyph).collect();
    let row =
        |row: usize| glyphs.iter().filter_map(|glyph| glyph.get(row).copied()).collect::<Vec<_>>().join(" ");
    let rows: [String; ROWS] = std::array::from_fn(row);
    let cells = rows.iter().map(|row| row.chars().count()).max().unwrap_or(1).max(1);
    let wide = (BAR / cells).clamp(1, WIDE);
    rows.map(|row| row.chars().map(|cell| cell.to_string().repeat(wide)).collect())
}

/// One line, for a log.
pub fn line(progress: &Progress) -> String {
    let percent = if progress.total > 0 { format!(" {}%", percent(progress)) } else { String::new() };
    let known: Vec<String> = known(progress).collect();
    format!("{}{percent}: {}", progress.phase.as_str(), known.join("; "))
}

fn disk(progress: &Progress) -> String {
    if progress.disks < 2 {
        String::new()
    } else {
        format!(", disk {} of {}", progress.disk + 1, progress.disks)
    }
}

/// What there is to say besides how much of it is done: how many bytes, and of what.
fn known(progress: &Progress) -> impl Iterator<Item = String> {
    let amounts = if progress.total > 0 { amounts(progress) } else { what(progress.phase).to_owned() };
    let region = || format!("{} of {}: {}", progress.region, progress.regions, progress.subject);
    [Some(amounts), (progress.region > 0).then(region)].into_iter().flatten()
}

fn amounts(progress: &Progress) -> String {
    let eta = progress.eta.map_or_else(|| "--:--".to_owned(), clock);
    let (done, total, rate) = (size(progress.done), size(progress.total), size(progress.rate));
    format!("{done} of {total}, {rate}/s, {eta} left")
}

/// What of a disk was saved and how, one line a partition or logical volume.
pub fn saved(parts: &[SavedPart]) -> Vec<String> {
    let heads = ["partition", "type", "file system", "size", "used", "saved", "left out", "how"];
    let cells = |part: &SavedPart| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            part.place(),
            text(&part.kind),
            text(&part.file_system),
            size(part.length),
            part.used.map(size).unwrap_or_default(),
            size(part.saved),
            if part.left_out > 0 { size(part.left_out) } else { String::new() },
            match part.unreadable {
                0 => part.how.clone(),
                bad => format!("{}; {} could not be read", part.how, size(bad)),
            },
        ]
    };
    let rows: Vec<[String; 8]> =
        std::iter::once(heads.map(str::to_owned)).chain(parts.iter().map(cells)).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Bytes for people, with one decimal.
pub fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 { format!("{bytes} {name}") } else { format!("{}.{} {name}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ghost_contract::image::Phase;

    fn progress(done: u64, total: u64) -> Progress {
        Progress {
            phase: Phase::Reading,
            disk: 0,
            disks: 1,
            region: 2,
            regions: 5,
            subject: "partition 1: ntfs \"Windows\"".to_owned(),
            done,
            total,
            rate: 50 << 20,
            eta: Some(3725),
        }
    }

    #[test]
    fn a_line_says_everything() {
        assert_eq!(
            line(&progress(1536 << 20, 4096 << 20)),
            "reading 37%: 1.5 GiB of 4.0 GiB, 50.0 MiB/s, 1:02:05 left; 2 of 5: partition 1: ntfs \"Windows\""
        );
    }

    #[track_caller]
    fn assert_fits(screen: &str) {
        let lines: Vec<&str> = screen.split("\r\n").collect();
        assert!(lines.len() <= 24, "{} lines", lines.len());
        for line in lines {
            let shown = line.replace("\x1b[K", "").replace("\x1b[H", "").replace("\x1b[J", "");
            assert!(shown.chars().count() <= 79, "{} columns", shown.chars().count());
        }
    }

    #[test]
    fn the_digits_fit_the_smallest_screen() {
        for done in [0, 1, 42, 99, 100] {
            let screen = large(&progress(done, 100), "backup");
            assert_fits(&screen);
        }
        assert!(large(&progress(1, 100), "backup").contains("         ███ "));
    }

    #[test]
    fn while_nobody_knows_how_much_there_is_to_do_it_says_what_is_being_done() {
        let phases = [
            Phase::Surveying,
            Phase::Checking,
            Phase::Reading,
            Phase::Shrinking,
            Phase::Writing,
            Phase::Resizing,
        ];
        for phase in phases {
            let unknown = Progress { phase, region: 0, eta: None, ..progress(0, 0) };
            let screen = large(&unknown, "backup");
            let letters = phase.as_str().to_uppercase();
            assert_eq!(letters.chars().find(|&letter| glyph(letter).is_none()), None, "{phase:?}");
            assert!(drawn(&letters).iter().all(|row| screen.contains(row)), "{screen}");
            assert!(screen.contains(what(phase)) && !screen.contains("0 bytes"), "{screen}");
            assert!(!screen.contains('░'), "{screen}");
            assert_fits(&screen);
            assert_eq!(line(&unknown), format!("{}: {}", phase.as_str(), what(phase)));
        }
        let growing = Progress { phase: Phase::Resizing, region: 1, regions: 1, ..progress(0, 0) };
        assert!(line(&growing).ends_with("; 1 of 1: partition 1: ntfs \"Windows\""), "{}", line(&growing));
    }

    #[test]
    fn a_table_says_what_was_saved_of_each_partition() {
        let part = |partition, used, left_out, unreadable, how: &str| SavedPart {
            partition,
            volume: None,
            kind: partition.map(|_| "83".to_owned()),
            file_system: partition.map(|_| "ext4".to_owned()),
            length: 3 << 20,
            used,
            saved: 1 << 20,
            left_out,
            left_out_because: None,
            unreadable,
            decrypted: false,
            how: how.to_owned(),
        };
        let root = SavedPart {
            volume: Some("vg/root".to_owned()),
            kind: None,
            ..part(Some(12), Some(1 << 20), 0, 0, "used blocks")
        };
        let parts = [
            part(Some(12), Some(1 << 20), 0, 512, "used blocks"),
            root,
            part(None, None, 7, 0, "every byte"),
        ];
        assert_eq!(
            saved(&parts),
            [
                "partition   type  file system  size     used     saved    left out  how",
                "12          83    ext4         3.0 MiB  1.0 MiB  1.0 MiB            used blocks; 512 bytes could not be read",
                "12 vg/root        ext4         3.0 MiB  1.0 MiB  1.0 MiB            used blocks",
                "beside                         3.0 MiB           1.0 MiB  7 bytes   every byte",
            ]
        );
    }

    #[test]
    fn it_is_100_only_when_all_is_done() {
        assert_eq!(percent(&progress(999_999, 1_000_000)), 99);
        assert_eq!(percent(&progress(10, 10)), 100);
        assert_eq!(percent(&progress(0, 0)), 0);
    }
}
