//! The wall of the console, in a real browser, while a room works: one PC is at work, one has stalled, one has not woken.

#[path = "../../console/tests/browser/chromium.rs"]
#[allow(dead_code, reason = "the console's own tests use the rest of it")]
mod chromium;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ghost_lab::config::target_folder;
use ghost_lab::stand_in;

use crate::backup::{IMAGING, SMALL};
use crate::fleet;
use crate::stage::{BOOT, LAB_PROGRAM, SOON, Stage};
use chromium::Chromium;

/// `ghost-console` beside a lab, until it is dropped.
struct Console {
    child: Child,
    place: String,
    token: String,
}

impl Console {
    fn start(stage: &Stage) -> Self {
        let mut command = Command::new(Path::new(LAB_PROGRAM).with_file_name("ghost-console"));
        let token = stage.folder().path().join("console-token");
        command.arg("--config").arg(stage.folder().ghostrc()).args(["--listen", "127.0.0.1:0"]);
        command.arg("--token-file").arg(&token).arg("--ghostctl").arg(stage.ghostctl_program());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let place = first.strip_prefix("the console is at ").unwrap_or_else(|| panic!("{first}")).to_owned();
        std::thread::spawn(move || said.map_while(Result::ok).for_each(|line| println!("console: {line}")));
        Self { child, place, token: fs::read_to_string(token).unwrap().trim().to_owned() }
    }

    /// The wall, to one who has logged in.
    fn wall(&self) -> Chromium {
        let mut chromium = Chromium::start();
        chromium.size(1280, 800);
        chromium.colours("dark");
        chromium.load(&self.place);
        chromium.types(&self.token);
        chromium.press("Enter");
        chromium.wait_until("document.getElementById('wall') !== null");
        // It had to log in, and says so.
        chromium.troubles();
        chromium
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Whether this host's tile says all of these words, in this state.
fn tile(host: &str, state: &str, words: &[&str]) -> String {
    let is = format!("document.querySelector('#tile-{host}.{state}')");
    let says = words.iter().map(|word| format!(" && {is}.innerText.includes('{word}')")).collect::<String>();
    format!("{is} !== null{says}")
}

fn order(chromium: &mut Chromium) -> String {
    let ids = chromium.evaluate("[...document.querySelectorAll('.tile')].map(tile => tile.id).join(' ')");
    ids.as_str().unwrap().to_owned()
}

fn picture(chromium: &mut Chromium, name: &str) {
    chromium.wait_until("[...document.images].every(image => image.complete && image.naturalWidth > 0)");
    let folder: PathBuf = target_folder().join("console-pictures");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("lab-{name}.png")), chromium.picture()).unwrap();
}

#[test]
fn the_wall_shows_who_is_at_work_who_has_stalled_and_who_has_not_woken() {
    // john is at work until it is let go.
    let stage = fleet::room("wall", |config| config.pcs[0].disk_rate = Some(64 << 10));
    let [john, joe] = ["john", "joe"].map(|name| stage.pc(name).unwrap());
    for pc in [&john, &joe] {
        stand_in::fill_disk(&stage, pc, SMALL).unwrap();
    }
    let console = Console::start(&stage);
    let mut chromium = console.wall();
    let hint = "document.querySelector('.first').checkVisibility()";
    chromium.wait_until("document.getElementById('wall').innerText === ''");
    assert_eq!(chromium.evaluate(hint), true, "what is to be done first");

    // The wall is not loaded again from here on: all comes as news.
    let ghostctl = stage.ghostctl(&["backup", "--group", "room"]).unwrap();
    chromium.wait_until_within(BOOT + IMAGING, &tile("joe", "failed", &["joe", "backup failed", "stalled"]));
    chromium.wait_until_within(BOOT, &tile("linuxbox", "failed", &["linuxbox", "backup failed"]));
    chromium.wait_until_within(BOOT, &tile("john", "running", &["john", "backup running", "%", "/s"]));
    assert_eq!(order(&mut chromium), "tile-joe tile-linuxbox tile-john", "those in trouble first");
    let counts =
        chromium.evaluate("document.getElementById('counts').innerText.split(/\\s+/).join(' ').trim()");
    assert_eq!(counts, "2 failed 1 running");
    assert_eq!(chromium.evaluate("document.title"), "(2) All clients – Ghost4Linux");
    assert_eq!(chromium.evaluate(hint), false, "clients have come");
    let alt = chromium.evaluate("document.querySelector('#tile-joe img').alt");
    assert!(alt.as_str().unwrap().starts_with("The screen of joe: backup: reading"), "{alt}");
    chromium.wait_until(&tile("linuxbox", "failed", &["no screen"]));
    picture(&mut chromium, "trouble");

    john.unthrottle_disk().unwrap();
    let status = ghostctl.wait(BOOT + IMAGING).unwrap();
    assert_eq!(status, 75, "the worst of them may be tried again: {}", ghostctl.text());
    chromium.wait_until_within(SOON, &tile("john", "done", &["john", "backup done"]));
    assert_eq!(order(&mut chromium), "tile-joe tile-linuxbox tile-john");
    picture(&mut chromium, "end");
    assert_eq!(chromium.troubles(), Vec::<String>::new());
    chromium.load(&format!("{}client/joe", console.place));
    let text = chromium.evaluate("document.body.innerText");
    assert!(text.as_str().unwrap().contains("stalled"), "{text}");
    picture(&mut chromium, "client");
}
