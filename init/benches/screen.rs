//! What a screenshot costs: a text screen, and 640x480 dots of 16 colours, from recorded video memory to a PNG.
//!
//! Prints a table; asserts nothing. `encode` is the PNG from a screen that is there; `whole` is decoding the snapshot, the text
//! (read from the dots where there are only dots), its colours and the PNG. Medians, in milliseconds, and the bytes of the
//! picture. `copy` is what copying a snapshot's bytes takes: no capture can be faster.

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ghost_init::screen::{Screen, vga};

const RUNS: usize = 31;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    println!("{:>16} {:>9} {:>9} {:>9} {:>9} {:>9}", "screen", "bytes", "copy", "decode", "encode", "whole");
    for (name, fixture) in
        [("text 80x25", "text-80x25"), ("text 80x50", "text-80x50"), ("640x480x16", "mode-12")]
    {
        let snapshot = snapshot(fixture)?;
        let screen = Screen::Picture(vga::decode(&snapshot)?);
        let copy = median(|| Ok(snapshot.clone()))?;
        let decode = median(|| Ok(vga::decode(&snapshot)?))?;
        let encode = median(|| Ok(screen.png()?))?;
        let whole = median(|| {
            let screen = Screen::Picture(vga::decode(&snapshot)?);
            let text = screen.characters().map(|text| (text.text(), text.coloured()));
            Ok((text, screen.png()?))
        })?;
        let times = [copy, decode, encode, whole].map(|time| format!("{:9.2}", time.as_secs_f64() * 1000.0));
        println!("{name:>16} {:>9} {}", screen.png()?.len(), times.join(" "));
    }
    Ok(())
}

fn snapshot(name: &str) -> Outcome<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/screen/vga/fixtures");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(File::open(folder.join(format!("{name}.snapshot.gz")))?)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn median<T>(mut work: impl FnMut() -> Outcome<T>) -> Outcome<Duration> {
    let mut times = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let started = Instant::now();
        black_box(work()?);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[RUNS / 2])
}
