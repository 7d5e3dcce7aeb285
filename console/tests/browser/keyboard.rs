//! All of it by keyboard.

use super::visitor::Visitor;

#[test]
fn from_the_address_to_a_client_and_its_acts_by_tab_and_enter() {
    let mut visitor = Visitor::new(&["--allow-actions"]);
    visitor.chromium.size(1280, 800);
    visitor.load("/");
    let focus = "document.activeElement.innerText.trim()";
    visitor.chromium.press("Tab");
    assert_eq!(visitor.chromium.evaluate(focus), "Skip to the content");
    // It can be seen once it has the focus.
    visitor.chromium.wait_until("document.activeElement.getBoundingClientRect().left >= 0");
    visitor.chromium.press("Enter");
    visitor.chromium.wait_until("document.activeElement.id === 'content'");
    visitor.chromium.press("Tab");
    let first = "document.activeElement.closest('.tile') === document.querySelector('.tile')";
    visitor.chromium.wait_until(first);
    let outline = visitor.chromium.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert_ne!(outline, "none", "the focus cannot be seen");
    visitor.chromium.press("Enter");
    visitor
        .chromium
        .wait_until("location.pathname === '/client/pc059' && document.readyState === 'complete'");
    let mut passed = Vec::new();
    for _ in 0..60 {
        visitor.chromium.press("Tab");
        let at =
            visitor.chromium.evaluate("document.activeElement.value || document.activeElement.innerText");
        let at = at.as_str().unwrap_or_default().to_owned();
        if at == "cancel" {
            return;
        }
        passed.push(at);
    }
    panic!("no way to the acts: {passed:?}");
}
