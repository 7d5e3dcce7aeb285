//! What changes in a file, as `diff -u` shows it. Pure.

use std::path::Path;

use similar::TextDiff;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// The lines of a diff; of what is no text only how long it is.
pub(crate) fn lines(path: &Path, before: Option<&[u8]>, after: &[u8]) -> Vec<String> {
    let Ok(new) = std::str::from_utf8(after) else {
        return vec![format!("+++ {} ({} bytes)", path.display(), after.len())];
    };
    let old = String::from_utf8_lossy(before.unwrap_or_default());
    let name = path.display().to_string();
    let old_name = if before.is_some() { name.as_str() } else { "/dev/null" };
    let diff = TextDiff::from_lines(old.as_ref(), new);
    let shown = diff.unified_diff().context_radius(CONTEXT).header(old_name, &name).to_string();
    shown.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_what_is_around_it() {
        let shown = lines(Path::new("/a"), Some(b"1\n2\n3\n4\n5\n"), b"1\n2\n3\n4\n5\n6\n");
        assert_eq!(shown, ["--- /a", "+++ /a", "@@ -3,3 +3,4 @@", " 3", " 4", " 5", "+6"]);
        assert_eq!(lines(Path::new("/a"), None, b"1\n"), ["--- /dev/null", "+++ /a", "@@ -0,0 +1 @@", "+1"]);
        assert_eq!(lines(Path::new("/a"), None, &[0xff; 1_440]), ["+++ /a (1440 bytes)"]);
    }
}
