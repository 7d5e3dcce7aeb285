//! What is written for users holds: links lead somewhere, and commands are ones that `ghostctl` understands.

// The attribute tells the lints that everything here is a test.
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use clap::Parser as _;
    use ghostctl::cli::Cli;

    /// Where documents are that users read.
    const FOLDERS: [&str; 6] = ["", "docs", "docs/adr", "rootfs", "tests", "kmod"];

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    /// Each document with its text.
    fn documents() -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            for entry in fs::read_dir(repository().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "md") {
                    let text = fs::read_to_string(&path).unwrap();
                    found.push((path, text));
                }
            }
        }
        assert!(found.len() > 10, "{found:?}");
        found
    }

    /// The lines outside of blocks of code.
    fn prose(text: &str) -> impl Iterator<Item = &str> {
        let mut is_code = false;
        text.lines().filter(move |line| {
            is_code ^= line.trim_start().starts_with("```");
            !is_code
        })
    }

    /// The name by which a heading can be linked to, as code hosts make it.
    fn anchor(heading: &str) -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    }

    fn anchors(text: &str) -> BTreeSet<String> {
        prose(text).filter(|line| line.starts_with('#')).map(anchor).collect()
    }

    /// What stands in the parentheses of `[words](target)`.
    fn links(line: &str) -> Vec<&str> {
        line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
    }

    fn fault(document: &Path, target: &str) -> Option<String> {
        if target.contains("://") || target.starts_with("mailto:") {
            return None;
        }
        let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
        let path = if file.is_empty() { document.to_owned() } else { document.parent()?.join(file) };
        if !path.exists() {
            return Some(format!("{}: there is no {target}", document.display()));
        }
        let path = if path.is_dir() { path.join("README.md") } else { path };
        let has_it = || fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(wanted));
        (!wanted.is_empty() && !has_it()).then(|| format!("{}: no heading for {target}", document.display()))
    }

    #[test]
    fn every_link_leads_to_a_file_and_a_heading() {
        let documents = documents();
        let all = documents.iter().flat_map(|(path, text)| {
            prose(text).flat_map(links).map(|target| (path.as_path(), target)).collect::<Vec<_>>()
        });
        let all: Vec<(&Path, &str)> = all.collect();
        assert!(all.len() > 30, "{all:?}");
        let faults: Vec<String> = all.into_iter().filter_map(|(path, target)| fault(path, target)).collect();
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let readme = repository().join("README.md");
        assert!(
            fault(&readme, "docs/none.md").is_some() && fault(&readme, "docs/security.md#none").is_some()
        );
        assert_eq!(fault(&readme, "docs/install.md#taking-it-away"), None);
        assert_eq!(fault(&readme, "docs/"), None);
    }

    /// The words of a command line, as a shell has them without variables.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, ' ') => words.extend(word.take()),
                (None, '#') if word.is_none() => break,
                (None, '|' | '>' | ';' | '&') => break,
                (_, c) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    /// `# ghostctl …` in blocks of code, and `ghostctl …` between single back quotes that has no placeholder in it.
    fn commands(text: &str) -> Vec<String> {
        let in_blocks =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("# ")).map(str::to_owned);
        let in_prose = prose(text)
            .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
        let is_one = |line: &String| {
            line.starts_with("ghostctl ") && !line.contains(['…', '|', '[', '<']) && !line.contains("...")
        };
        let is_placeholder = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase());
        in_blocks.chain(in_prose).filter(is_one).filter(|line| !line.split(' ').any(is_placeholder)).collect()
    }

    /// A verb that is only named lacks its arguments, and that is all.
    fn is_understood(line: &str) -> bool {
        use clap::error::ErrorKind;
        match Cli::try_parse_from(words(line)) {
            Ok(_) => true,
            Err(error) => matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
            ),
        }
    }

    #[test]
    fn every_command_is_one_that_ghostctl_understands() {
        let all: Vec<(PathBuf, String)> = documents()
            .into_iter()
            .flat_map(|(path, text)| commands(&text).into_iter().map(move |line| (path.clone(), line)))
            .collect();
        assert!(all.len() > 30, "{all:?}");
        let wrong: Vec<_> = all.iter().filter(|(_, line)| !is_understood(line)).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_command_that_ghostctl_does_not_understand_is_found() {
        assert!(
            !is_understood("ghostctl setup --subnets 10.0.0.0/24") && !is_understood("ghostctl make john")
        );
        assert!(is_understood("ghostctl backup 'pc*' --until 06:00   # at six"));
    }
}
