use super::*;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn prompt(when: PromptTrigger, keys: &[&str], deadline: u64, on_deadline: OnDeadline) -> Prompt {
    let keys = keys.iter().map(|name| (*name).to_owned()).collect();
    Prompt { when, keys, deadline: seconds(deadline), on_deadline }
}

fn text(text: &str) -> PromptTrigger {
    PromptTrigger::Text(text.to_owned())
}

fn mark() -> Prompt {
    prompt(text("Mark"), &["TAB", "ENTER"], 120, OnDeadline::Ignore)
}

fn names(action: Option<PromptAction>) -> Vec<String> {
    match action {
        Some(PromptAction::Type { names, .. }) => names,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ghosts_question_is_answered_once() {
    let mut prompts = Prompts::new(&[mark()]).unwrap();
    assert_eq!(prompts.observe("Norton Ghost 2003", seconds(5)), None);
    assert_eq!(
        prompts.observe("...\n   OK to [ Mark ] the drive?", seconds(8)),
        Some(PromptAction::Type {
            keys: vec![KeyCode::KEY_TAB, KeyCode::KEY_ENTER],
            names: vec!["TAB".to_owned(), "ENTER".to_owned()],
            because: "the screen shows 'Mark'".to_owned(),
        })
    );
    assert_eq!(prompts.observe("OK to [ Mark ] the drive?", seconds(9)), None);
    assert!(!prompts.is_waiting());
}

#[test]
fn prompts_come_in_any_order() {
    let sure = prompt(text("Proceed?"), &["Y"], 600, OnDeadline::Ignore);
    let mut prompts = Prompts::new(&[mark(), sure]).unwrap();
    assert_eq!(names(prompts.observe("Proceed?", seconds(1))), ["Y"]);
    assert_eq!(names(prompts.observe("Mark", seconds(2))), ["TAB", "ENTER"]);
}

#[test]
fn one_look_answers_one_prompt() {
    let sure = prompt(text("Proceed?"), &["Y"], 600, OnDeadline::Ignore);
    let mut prompts = Prompts::new(&[mark(), sure]).unwrap();
    assert_eq!(names(prompts.observe("Mark. Proceed?", seconds(1))), ["TAB", "ENTER"]);
    assert_eq!(prompts.observe("working", seconds(2)), None);
    assert!(prompts.is_waiting());
}

#[test]
fn a_text_is_found_across_line_ends_and_padding_and_letter_case_counts() {
    let shown = "| the disk has not\n   been   marked |";
    for (wanted, found) in
        [("not been marked", true), ("not  been", true), ("Not been", false), ("notbeen", false)]
    {
        let mut prompts = Prompts::new(&[prompt(text(wanted), &["ENTER"], 60, OnDeadline::Ignore)]).unwrap();
        assert_eq!(prompts.observe(shown, seconds(1)).is_some(), found, "{wanted}");
    }
}

#[test]
fn keys_can_come_after_a_time_whatever_is_shown() {
    let after = prompt(PromptTrigger::After(seconds(30)), &["ENTER"], 60, OnDeadline::Fail);
    let mut prompts = Prompts::new(&[after]).unwrap();
    assert_eq!(prompts.observe("", seconds(29)), None);
    assert_eq!(
        prompts.observe("", seconds(30)),
        Some(PromptAction::Type {
            keys: vec![KeyCode::KEY_ENTER],
            names: vec!["ENTER".to_owned()],
            because: "30 s have passed".to_owned(),
        })
    );
}

#[test]
fn what_happens_at_the_deadline_is_the_orders_choice() {
    let failed = PromptAction::Fail { reason: "the screen did not show 'Mark' within 120 s".to_owned() };
    let typed = PromptAction::Type {
        keys: vec![KeyCode::KEY_ENTER],
        names: vec!["ENTER".to_owned()],
        because: "the screen did not show 'Mark' within 120 s".to_owned(),
    };
    for (on_deadline, expected) in
        [(OnDeadline::Ignore, None), (OnDeadline::Type, Some(typed)), (OnDeadline::Fail, Some(failed))]
    {
        let mut prompts = Prompts::new(&[prompt(text("Mark"), &["ENTER"], 120, on_deadline)]).unwrap();
        assert_eq!(prompts.observe("", seconds(119)), None);
        assert_eq!(prompts.observe("", seconds(120)), expected, "{on_deadline:?}");
        assert_eq!(prompts.observe("Mark", seconds(121)), None, "{on_deadline:?}");
    }
}

#[test]
fn an_ignored_prompt_does_not_hold_up_another_one() {
    let sure = prompt(text("Proceed?"), &["Y"], 600, OnDeadline::Ignore);
    let mut prompts = Prompts::new(&[mark(), sure]).unwrap();
    assert_eq!(names(prompts.observe("Proceed?", seconds(200))), ["Y"]);
    assert!(!prompts.is_waiting());
}

#[test]
fn a_trigger_at_the_last_moment_still_counts() {
    let mut prompts = Prompts::new(&[prompt(text("Mark"), &["ENTER"], 120, OnDeadline::Fail)]).unwrap();
    assert_eq!(names(prompts.observe("Mark", seconds(120))), ["ENTER"]);
}

#[test]
fn keys_have_the_names_of_the_kernel() {
    for (name, code) in [
        ("TAB", KeyCode::KEY_TAB),
        ("Y", KeyCode::KEY_Y),
        ("1", KeyCode::KEY_1),
        ("F10", KeyCode::KEY_F10),
        ("ESC", KeyCode::KEY_ESC),
        ("LEFT", KeyCode::KEY_LEFT),
        ("KPENTER", KeyCode::KEY_KPENTER),
    ] {
        assert_eq!(key(name).unwrap(), code);
    }
}

#[test]
fn an_unknown_key_is_refused_before_anything_starts() {
    for name in ["RETURN", "Tab", "KEY_TAB", "", "BTN_LEFT", "TAB ENTER"] {
        let prompts = Prompts::new(&[prompt(text("Mark"), &["TAB", name], 120, OnDeadline::Ignore)]);
        let error = prompts.unwrap_err().to_string();
        assert!(error.starts_with(&format!("'{name}' is not the name of a key: ")), "{error}");
    }
}

#[test]
fn an_empty_text_is_refused() {
    for empty in ["", "  \n"] {
        let prompts = Prompts::new(&[prompt(text(empty), &["TAB"], 120, OnDeadline::Ignore)]);
        assert_eq!(
            prompts.unwrap_err().to_string(),
            "a prompt waits for an empty text, which is on every screen"
        );
    }
}
