//! How the pages look: whole at each width and in both colours, light enough, readable without a script, open to all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::visitor::Visitor;

const WIDTHS: [(u32, u32); 3] = [(360, 780), (1280, 800), (3840, 2160)];
const SCHEMES: [&str; 2] = ["light", "dark"];
/// A page has at most so many bytes without pictures.
const LARGEST_PAGE: u64 = 300_000;
/// Pictures that are kept in docs/pictures: the widths and colours of each page are too many.
const KEPT: (u32, &str) = (1280, "dark");

/// Each page, and a word of its own.
fn pages(run: &str) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("wall", "/".to_owned(), "pc118"),
        ("client", "/client/pc030".to_owned(), "Generations"),
        ("client-failed", "/client/pc118".to_owned(), "cannot read the disk"),
        ("runs", "/runs".to_owned(), "300 hosts"),
        ("run", run.to_owned(), "pc118"),
        ("images", "/images".to_owned(), "GiB"),
        ("doctor", "/doctor".to_owned(), "Wake-on: d"),
    ]
}

/// Where pictures go: beside what is built, and with `PICTURES=FOLDER` the small ones to there.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/console-pictures");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes a picture small enough for the documents.
fn keep(name: &str, from: &Path) {
    let Some(folder) = std::env::var_os("PICTURES").filter(|folder| !folder.is_empty()) else { return };
    fs::create_dir_all(&folder).unwrap();
    let to = Path::new(&folder).join(format!("console-{name}.png"));
    let mut command = Command::new("pngquant");
    command.args(["--force", "--strip", "--speed", "1", "64", "--output"]).arg(&to).arg(from);
    assert!(command.status().unwrap().success(), "{name}");
}

/// The newest run's page.
fn run(visitor: &mut Visitor) -> String {
    visitor.load("/runs");
    let link = visitor.chromium.evaluate("document.querySelector('a[href^=\"/run/\"]').getAttribute('href')");
    link.as_str().unwrap().to_owned()
}

#[test]
fn each_page_is_whole_at_each_width_in_both_colours_and_breaks_no_policy() {
    let mut visitor = Visitor::new(&["--allow-actions"]);
    let run = run(&mut visitor);
    for (name, path, word) in pages(&run) {
        for (width, height) in WIDTHS {
            visitor.chromium.size(width, height);
            visitor.load(&path);
            let text = visitor.chromium.evaluate("document.body.innerText");
            assert!(text.as_str().unwrap().contains(word), "{name}: {text}");
            let wide = visitor.chromium.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{name} is {wide} wide at {width}");
            for scheme in SCHEMES {
                visitor.chromium.colours(scheme);
                visitor.chromium.wait_until(
                    "[...document.images].filter(i => !i.closest('.film') && i.getBoundingClientRect().top < innerHeight).every(i => i.complete)",
                );
                let path = pictures().join(format!("{name}-{width}-{scheme}.png"));
                fs::write(&path, visitor.chromium.picture()).unwrap();
                if (width, scheme) == KEPT {
                    keep(name, &path);
                }
            }
        }
        assert_eq!(visitor.chromium.troubles(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn no_page_is_large_without_its_pictures() {
    let mut visitor = Visitor::new(&["--allow-actions"]);
    let run = run(&mut visitor);
    for (name, path, _) in pages(&run) {
        visitor.load(&path);
        let bytes = visitor.chromium.bytes_without_pictures();
        println!("{name}: {bytes} bytes without pictures");
        assert!((1..=LARGEST_PAGE).contains(&bytes), "{name}: {bytes} bytes");
    }
}

#[test]
fn the_wall_and_a_client_can_be_read_without_a_script() {
    let mut visitor = Visitor::new(&[]);
    visitor.chromium.runs_scripts(false);
    visitor.load_text("/");
    let count = visitor.chromium.evaluate("document.querySelectorAll('.tile').length");
    let text = visitor.chromium.evaluate("document.body.innerText").to_string();
    assert_eq!(count, 300);
    assert!(text.contains("No space left on device") && text.contains("1 abandoned"), "{text}");
    visitor.load_text("/client/pc030");
    visitor.chromium.evaluate("document.querySelector('details').open = true; 0");
    let text = visitor.chromium.evaluate("document.body.innerText").to_string();
    assert!(text.contains("Generations") && text.contains("Ghost4Linux: reading"), "{text}");
}

/// axe-core, which `console/fetch-axe` has brought.
fn axe() -> String {
    let path = std::env::var("AXE_CORE").expect("AXE_CORE names the file that console/fetch-axe has brought");
    fs::read_to_string(path).unwrap()
}

#[test]
fn axe_core_has_nothing_serious_to_say_of_any_page() {
    let axe = axe();
    let mut visitor = Visitor::new(&["--allow-actions"]);
    let run = run(&mut visitor);
    for scheme in SCHEMES {
        visitor.chromium.colours(scheme);
        for (name, path, _) in pages(&run) {
            visitor.load(&path);
            visitor.chromium.evaluate(&format!("{axe};0"));
            let found = visitor.chromium.evaluate(
                "axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations.map(v => \
                 [v.impact, v.id, v.help, v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary)]))",
            );
            let serious = |one: &&Value| matches!(one[0].as_str(), Some("serious" | "critical"));
            let serious: Vec<&Value> = found.as_array().unwrap().iter().filter(serious).collect();
            assert!(serious.is_empty(), "{name}, {scheme}: {serious:#?}");
            println!(
                "{name}, {scheme}: {} findings that are not serious: {found}",
                found.as_array().unwrap().len()
            );
        }
    }
}
