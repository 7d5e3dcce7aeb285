//! What a person sees who looks at the client's screen from across a room. Pure: progress in, text out.

use ghost_contract::image::Progress;

/// Five rows of the digits and the percent sign, three cells wide (the percent sign five).
const DIGITS: [[&str; 5]; 10] = [
    ["███", "█ █", "█ █", "█ █", "███"],
    ["  █", "  █", "  █", "  █", "  █"],
    ["███", "  █", "███", "█  ", "███"],
    ["███", "  █", "███", "  █", "███"],
    ["█ █", "█ █", "███", "  █", "  █"],
    ["███", "█  ", "███", "  █", "███"],
    ["███", "█  ", "███", "█ █", "███"],
    ["███", "  █", "  █", "  █", "  █"],
    ["███", "█ █", "███", "█ █", "███"],
    ["███", "█ █", "███", "  █", "███"],
];
const PERCENT: [&str; 5] = ["█   █", "   █ ", "  █  ", " █   ", "█   █"];
/// Each cell is drawn so wide and so high: 80x25 is the smallest screen.
const WIDE: usize = 3;
const HIGH: usize = 2;
/// The bar's width, characters.
const BAR: u64 = 76;

/// How much is done, in hundredths; 100 only when all is.
#[must_use]
pub fn percent(progress: &Progress) -> u64 {
    let part = u128::from(progress.done) * 100;
    part.checked_div(u128::from(progress.total)).and_then(|part| u64::try_from(part).ok()).unwrap_or(0)
}

/// The whole screen for a terminal, from its upper left corner.
#[must_use]
pub fn large(progress: &Progress, title: &str) -> String {
    let mut screen = String::from("\x1b[H");
    let mut line = |text: &str| {
        screen += text;
        screen += "\x1b[K\r\n";
    };
    line(&format!("  {title}: {}{}", progress.phase.as_str(), disk(progress)));
    line("");
    let percent = percent(progress);
    let digits: Vec<usize> = percent.to_string().bytes().map(|byte| usize::from(byte - b'0')).collect();
    for row in 0..5 {
        let cells = digits.iter().filter_map(|&digit| DIGITS.get(digit)?.get(row).copied());
        let cells = cells.chain(PERCENT.get(row).copied()).collect::<Vec<_>>().join(" ");
        let drawn: String = cells.chars().map(|cell| cell.to_string().repeat(WIDE)).collect();
        for _ in 0..HIGH {
            line(&format!("  {drawn}"));
        }
    }
    line("");
    let full = (BAR * percent / 100).min(BAR);
    let count = |cells: u64| usize::try_from(cells).unwrap_or(0);
    line(&format!("  {}{}", "█".repeat(count(full)), "░".repeat(count(BAR - full))));
    line("");
    line(&format!("  {}", amounts(progress)));
    line(&format!("  {}", region(progress)));
    screen + "\x1b[J"
}

/// One line, for a log.
#[must_use]
pub fn line(progress: &Progress) -> String {
    let region = region(progress);
    format!("{} {}%: {}; {region}", progress.phase.as_str(), percent(progress), amounts(progress))
}

fn disk(progress: &Progress) -> String {
    if progress.disks < 2 {
        String::new()
    } else {
        format!(", disk {} of {}", progress.disk + 1, progress.disks)
    }
}

fn region(progress: &Progress) -> String {
    if progress.region == 0 {
        return "looking at it".to_owned();
    }
    format!("{} of {}: {}", progress.region, progress.regions, progress.subject)
}

fn amounts(progress: &Progress) -> String {
    let eta = progress.eta.map_or_else(|| "--:--".to_owned(), clock);
    let (done, total, rate) = (size(progress.done), size(progress.total), size(progress.rate));
    format!("{done} of {total}, {rate}/s, {eta} left")
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Bytes for people, with one decimal.
#[must_use]
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

    #[test]
    fn the_digits_fit_the_smallest_screen() {
        for done in [0, 1, 42, 99, 100] {
            let screen = large(&progress(done, 100), "backup");
            let lines: Vec<&str> = screen.split("\r\n").collect();
            assert!(lines.len() <= 24, "{} lines", lines.len());
            for line in lines {
                let shown = line.replace("\x1b[K", "").replace("\x1b[H", "").replace("\x1b[J", "");
                assert!(shown.chars().count() <= 79, "{} columns", shown.chars().count());
            }
        }
        assert!(large(&progress(1, 100), "backup").contains("         ███ "));
    }

    #[test]
    fn it_is_100_only_when_all_is_done() {
        assert_eq!(percent(&progress(999_999, 1_000_000)), 99);
        assert_eq!(percent(&progress(10, 10)), 100);
        assert_eq!(percent(&progress(0, 0)), 0);
    }
}
