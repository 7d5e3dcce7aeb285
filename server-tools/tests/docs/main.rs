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

    /// Programs that a document's command can begin with.
    const PROGRAMS: [&str; 10] = [
        "apt-get",
        "cp",
        "echo",
        "ghost-console",
        "ghostctl",
        "install",
        "kmod/build",
        "make",
        "rm",
        "systemctl",
    ];

    /// Commands on lines of their own in blocks of code, behind `# ` or not. What a program says comes behind a name, a bar or a number.
    fn shown_commands(text: &str) -> BTreeSet<String> {
        let mut is_fenced = false;
        let mut found = BTreeSet::new();
        for line in text.lines() {
            if line.trim_start().starts_with("```") {
                is_fenced = !is_fenced;
                continue;
            }
            let trimmed = line.trim_start();
            let is_indented = !is_fenced && line.starts_with("    ");
            let command = match trimmed.strip_prefix("# ") {
                Some(command) if is_fenced || is_indented => command,
                _ if is_fenced || is_indented => trimmed,
                _ => continue,
            };
            let command = command
                .split("  #")
                .next()
                .unwrap_or_default()
                .split(" # ")
                .next()
                .unwrap_or_default()
                .trim();
            let is_said = command.contains(" | ");
            if PROGRAMS.iter().any(|program| command.split(' ').next() == Some(program)) && !is_said {
                found.insert(command.to_owned());
            }
        }
        found
    }

    /// What runs which command of which document, by the list beside this file.
    fn ledger() -> Vec<(String, String, String)> {
        let lines = include_str!("commands").lines().filter(|line| !line.starts_with('#'));
        let row = |line: &str| {
            let mut parts = line.split('\t').map(str::to_owned);
            let row = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(parts.next(), None, "{line}");
            row
        };
        lines.map(row).collect()
    }

    #[test]
    fn it_is_known_of_every_command_what_runs_it_or_why_nothing_does() {
        let documents =
            [("README.md", ""), ("CONTRIBUTING.md", "")].into_iter().map(|(name, _)| name.to_owned());
        let listed = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
        let listed = listed.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".md"));
        let documents: Vec<String> = documents.chain(listed.map(|name| format!("docs/{name}"))).collect();
        let shown: BTreeSet<(String, String)> = documents
            .iter()
            .flat_map(|document| {
                let text = fs::read_to_string(repository().join(document)).unwrap();
                shown_commands(&text).into_iter().map(move |command| (document.clone(), command))
            })
            .collect();
        let known: BTreeSet<(String, String)> =
            ledger().into_iter().map(|(document, command, _)| (document, command)).collect();
        let missing: Vec<_> = shown.difference(&known).collect();
        let gone: Vec<_> = known.difference(&shown).collect();
        assert!(missing.is_empty() && gone.is_empty(), "not in the list: {missing:?}; not shown: {gone:?}");
    }

    #[test]
    fn what_is_said_to_run_a_command_is_there() {
        for (document, command, by) in ledger() {
            let (by, words) = by.split_once(": ").unwrap();
            if by == "not run" {
                assert!(words.len() > 10, "{document}: {command}: why is it not run?");
                continue;
            }
            let text = fs::read_to_string(repository().join(by)).unwrap_or_default();
            assert!(text.contains(words), "{document}: {command}: {by} has no '{words}'");
        }
    }

    #[test]
    fn commands_are_told_from_what_they_say() {
        let text = "```\n# ghostctl test john\njohn: up\n# /etc/ghostrc\n```\n    make demo      # a PC\n    ghostctl | john: up\nghostctl prose\n";
        let found: Vec<String> = shown_commands(text).into_iter().collect();
        assert_eq!(found, ["ghostctl test john", "make demo"]);
    }
}
