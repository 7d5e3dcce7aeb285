//! Given what is running and what a person types, what do they see?

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::frame::Colours;
use super::*;
use crate::job::pace::Left;

fn tile(host: &str, state: State, phase: &str) -> Tile {
    Tile {
        host: host.parse().unwrap(),
        job: format!("20261129-220000-{host}").parse().unwrap(),
        mode: Mode::Backup,
        state,
        phase: phase.to_owned(),
        doing: None,
        percent: None,
        rate: None,
        left: None,
        since: UnixTime::from_millis(0),
        screen: None,
    }
}

fn at_work(host: &str) -> Tile {
    Tile {
        percent: Some(45),
        rate: Some(52_428_800),
        left: Some(Left::About(660)),
        doing: Some("reading partition 2: ntfs \"WINDOWS\"".to_owned()),
        screen: Some("0003-interval".to_owned()),
        ..tile(host, State::Running, "imaging")
    }
}

fn night() -> Top {
    let tiles = vec![
        tile("pc5", State::Abandoned, "imaging; its ghostctl is gone: run 'ghostctl recover'"),
        tile("pc3", State::Failed, "stalled: nothing moved for 300 s"),
        at_work("pc4"),
        tile("pc7", State::Running, "woken"),
        tile("pc2", State::Done, "succeeded"),
    ];
    Top::new(tiles, UnixTime::from_millis(1_769_178_301_999))
}

fn press(top: &mut Top, keys: &[Key]) -> Vec<Action> {
    keys.iter().filter_map(|key| top.decide(Event::Pressed(*key))).collect()
}

fn drawn(top: &Top, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| frame::draw(top, Colours::Few, frame.buffer_mut())).unwrap();
    terminal
}

/// What stands on a screen of this size.
fn seen(top: &Top, columns: u16, rows: u16) -> String {
    let terminal = drawn(top, columns, rows);
    let buffer = terminal.backend().buffer();
    let line = |row| (0..columns).map(|column| buffer[(column, row)].symbol()).collect::<String>();
    (0..rows).map(|row| line(row).trim_end().to_owned() + "\n").collect()
}

#[test]
fn eighty_columns_show_all_that_is_to_be_known() {
    let expected = "\
2026-01-23 14:25:01 UTC   1 abandoned, 1 failed, 2 running, 1 done
HOST  VERB     PHASE      DONE               RATE        TIME LEFT
pc5   backup   imaging; its ghostctl is gone: run 'ghostctl recover'
pc3   backup   stalled: nothing moved for 300 s
pc4   backup   imaging    [====      ]  45%  50.0 MiB/s  about 11 min    reading
pc7   backup   woken
pc2   backup   succeeded

Up Down: choose  Enter: the screen  c: cancel  q: quit
";
    assert_eq!(seen(&night(), 80, 9), expected);
}

#[test]
fn trouble_is_red_the_chosen_line_stands_out_and_no_colour_means_none() {
    let terminal = drawn(&night(), 80, 9);
    let buffer = terminal.backend().buffer();
    assert_eq!(buffer[(15, 3)].fg, Color::Red);
    assert_eq!(buffer[(15, 6)].fg, Color::Green);
    let is_reversed = |row| buffer[(79, row)].modifier.contains(ratatui::style::Modifier::REVERSED);
    assert_eq!((0..8).filter(|row| is_reversed(*row)).collect::<Vec<u16>>(), [2]);
    let mut terminal = Terminal::new(TestBackend::new(80, 9)).unwrap();
    terminal.draw(|frame| frame::draw(&night(), Colours::None, frame.buffer_mut())).unwrap();
    let cells = &terminal.backend().buffer().content;
    assert!(cells.iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)));
}

#[test]
fn it_fits_into_any_terminal() {
    let mut top = night();
    for (columns, rows) in (1..60).zip((1..30).chain((1..31).rev())) {
        seen(&top, columns, rows);
    }
    press(&mut top, &[Key::Enter]);
    (1..10).for_each(|rows| drop(seen(&top, 3, rows)));
}

#[test]
fn the_chosen_line_stays_with_its_host_and_in_sight() {
    let mut top = night();
    press(&mut top, &[Key::Down, Key::Down, Key::Down]);
    assert!(seen(&top, 80, 5).contains("\npc4 ") && seen(&top, 80, 5).contains("\npc7 "));
    assert!(!seen(&top, 80, 5).contains("pc5 "));
    let mut tiles = top.tiles.clone();
    tiles.rotate_left(1);
    top.decide(Event::Looked { tiles, now: top.now });
    assert_eq!(top.chosen, Some("pc7".parse().unwrap()));
    let tiles = vec![tile("pc2", State::Done, "succeeded")];
    top.decide(Event::Looked { tiles, now: top.now });
    assert_eq!(top.chosen, Some("pc2".parse().unwrap()), "its record may be gone");
    top.decide(Event::Looked { tiles: Vec::new(), now: top.now });
    assert!(press(&mut top, &[Key::Down, Key::End, Key::Enter, Key::Letter('c')]).is_empty());
    assert!(seen(&top, 80, 9).contains("no job has run yet"));
}

#[test]
fn a_job_is_stopped_only_after_a_yes() {
    let mut top = night();
    let question = "stop the backup of pc4 (20261129-220000-pc4)? y: yes, any other key: no";
    assert_eq!(press(&mut top, &[Key::Down, Key::Down, Key::Letter('c')]), []);
    assert!(seen(&top, 80, 9).contains(question), "{}", seen(&top, 80, 9));
    assert_eq!(press(&mut top, &[Key::Letter('n')]), []);
    for no in [Key::Enter, Key::Escape, Key::Letter('Y'), Key::Letter('q')] {
        assert_eq!(press(&mut top, &[Key::Letter('c'), no]), [], "{no:?}");
        assert!(seen(&top, 80, 9).contains("the job of pc4 goes on"));
    }
    let cancel = Action::Cancel { host: "pc4".parse().unwrap(), job: "20261129-220000-pc4".parse().unwrap() };
    assert_eq!(press(&mut top, &[Key::Letter('c'), Key::Letter('y')]), [cancel]);
    assert_eq!(press(&mut top, &[Key::Letter('y')]), [], "once");
    top.decide(Event::Asked("asked it to stop".to_owned()));
    assert!(seen(&top, 80, 9).contains("asked it to stop"));
}

#[test]
fn what_does_not_run_is_not_stopped() {
    let mut top = night();
    for (down, words) in
        [(0, "run 'ghostctl recover'"), (1, "pc3 has no running job"), (3, "pc2 has no running job")]
    {
        press(&mut top, &[Key::Home]);
        press(&mut top, &vec![Key::Down; if down == 3 { 4 } else { down }]);
        assert_eq!(press(&mut top, &[Key::Letter('c'), Key::Letter('y')]), []);
        assert_eq!(top.said, None, "the next key takes the words away");
        press(&mut top, &[Key::Letter('c')]);
        assert!(seen(&top, 80, 9).contains(words), "{}", seen(&top, 80, 9));
    }
}

#[test]
fn a_question_whose_job_is_over_is_taken_back() {
    let mut top = night();
    press(&mut top, &[Key::Down, Key::Down, Key::Letter('c')]);
    // The same host has another job by now.
    let next = Tile { job: "20261130-1".parse().unwrap(), ..at_work("pc4") };
    top.decide(Event::Looked { tiles: vec![next], now: top.now });
    assert!(seen(&top, 80, 9).contains("the job of pc4 is over"));
    assert_eq!(press(&mut top, &[Key::Letter('y')]), []);
}

#[test]
fn a_screen_is_shown_scrolled_and_read_again_when_there_is_a_newer_one() {
    let mut top = night();
    let pc4: HostName = "pc4".parse().unwrap();
    let read = [Action::ReadScreen(pc4.clone())];
    assert_eq!(press(&mut top, &[Key::Down, Key::Down, Key::Enter]), read);
    let text = (1..=30).map(|number| format!("line {number}\n")).collect::<String>();
    let screenshot = Screenshot { name: Some("0003-interval".to_owned()), text: Some(text) };
    top.decide(Event::Read { host: pc4.clone(), screenshot: screenshot.clone() });
    let shown = seen(&top, 80, 24);
    assert!(shown.starts_with("pc4: backup imaging, screenshot 0003-interval\nline 1\n"), "{shown}");
    assert!(shown.contains("line 22\n") && !shown.contains("line 23\n"), "{shown}");
    press(&mut top, &[Key::Down, Key::PageDown]);
    assert!(seen(&top, 80, 24).contains("0003-interval\nline 12\n"));
    press(&mut top, &[Key::PageDown, Key::PageDown, Key::PageDown]);
    assert!(seen(&top, 80, 24).contains("0003-interval\nline 30\n"), "no further than the last line");
    let look = |top: &mut Top, screen: &str| {
        let tiles = vec![Tile { screen: Some(screen.to_owned()), ..at_work("pc4") }];
        top.decide(Event::Looked { tiles, now: top.now })
    };
    assert_eq!(look(&mut top, "0003-interval"), None);
    assert_eq!(look(&mut top, "0004-interval"), Some(read[0].clone()));
    // An answer for a screen that was left meanwhile is not shown.
    top.decide(Event::Read {
        host: "pc3".parse().unwrap(),
        screenshot: Screenshot { name: None, text: None },
    });
    assert!(seen(&top, 80, 24).contains("line 30"));
    for key in [Key::Escape, Key::Letter('q'), Key::Enter] {
        assert_eq!(press(&mut top, &[key]), [], "it leads back, and not out");
        assert!(seen(&top, 80, 24).contains("HOST"));
        press(&mut top, &[Key::Enter]);
    }
    top.decide(Event::Read { host: pc4, screenshot: Screenshot { name: None, text: None } });
    assert!(seen(&top, 80, 24).contains("there is no screenshot of this job"));
}

#[test]
fn q_and_escape_end_it() {
    assert_eq!(press(&mut night(), &[Key::Letter('q')]), [Action::Quit]);
    assert_eq!(press(&mut night(), &[Key::Escape]), [Action::Quit]);
}
