//! The rules for pages: links lead somewhere, comments name pages that are there, tables list their columns, sentences are
//! short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use xtask::workspace::Workspace;

/// What may be looked at besides `docs`.
const PAGES_OUTSIDE: [&str; 4] =
    ["README.md", "CONTRIBUTING.md", "guest-sdk/README.md", "plugins/README.md"];

/// Folders whose files may name a page in a comment.
const NAMES_PAGES: [&str; 7] = ["host", "guest-sdk", "plugins", "tests", "xtask", "deploy", "docs"];

/// Notes that were never in the repository: a reader cannot open them.
const NEVER_HERE: [&str; 7] =
    ["DESIGN", "SEMANTICS", "RELIABILITY", "PERFORMANCE", "STYLE", "ECOSYSTEM", "PEERS"];

/// Words of a sentence: good technical prose has fifteen to eighteen on average. A page of short ones has room for a long one.
const WORDS_MEAN_MAX: usize = 18;
const WORDS_OF_NINE_IN_TEN_MAX: usize = 28;
const WORDS_MAX: usize = 45;

/// Words and signs of another language than the pages are in.
const FOREIGN: [&str; 6] = ["anew", "of which", "\u{201e}", "\u{ab}", "\u{bb}", "theirs to say"];

/// A page of Markdown.
struct Page {
    /// Relative to the workspace.
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        Self { path: path.to_owned(), text }
    }

    /// The lines that are no code.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut in_code = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            !in_code && !fence
        })
    }

    /// The words of each sentence, those of tables and headings apart. A piece of code is a word.
    fn sentences(&self) -> Vec<usize> {
        let mut paragraphs = vec![String::new()];
        for line in self.prose() {
            let line = line.trim_start();
            let is_apart = line.is_empty() || line.starts_with(['#', '|', '<']);
            let item = line.strip_prefix("* ").or_else(|| line.split_once(". ").and_then(numbered));
            if is_apart || item.is_some() {
                paragraphs.push(String::new());
            }
            if !is_apart {
                let paragraph = paragraphs.last_mut().unwrap();
                paragraph.push_str(item.unwrap_or(line));
                paragraph.push(' ');
            }
        }
        paragraphs.iter().flat_map(|paragraph| sentences(&plain(paragraph))).collect()
    }

    /// What may stand behind `#` in a link to it.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().filter_map(|line| line.strip_prefix('#'));
        let headings = headings.map(|heading| slug(heading.trim_start_matches('#')));
        let named = self.text.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        headings.chain(named.map(str::to_owned)).collect()
    }

    /// Where its links lead, as they stand there. Those of Rust's documentation are for rustdoc to check.
    fn links(&self) -> impl Iterator<Item = &str> {
        let links = self.prose().flat_map(|line| line.split("](").skip(1));
        let links = links.filter_map(|rest| rest.split(')').next());
        links.filter(|link| !link.contains("://") && !link.contains("::") && !link.contains('@'))
    }
}

/// What stands behind the number of an item.
fn numbered<'t>((number, rest): (&'t str, &'t str)) -> Option<&'t str> {
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
}

/// Without the targets of links and without code, in which dots end nothing.
fn plain(paragraph: &str) -> String {
    let code = paragraph.split('`').enumerate();
    let text: String = code.map(|(at, part)| if at % 2 == 0 { part } else { "code" }).collect();
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// How many words each sentence has.
fn sentences(text: &str) -> Vec<usize> {
    let mut words = vec![0];
    for word in text.split_whitespace() {
        *words.last_mut().unwrap() += usize::from(word.contains(char::is_alphanumeric));
        if word.trim_end_matches(['*', ')', ']', '"', '_']).ends_with(['.', '!', '?']) {
            words.push(0);
        }
    }
    words.retain(|words| *words > 0);
    words
}

/// The anchor of a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    let heading = heading.trim().to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

fn root() -> PathBuf {
    Workspace::here().root().to_path_buf()
}

/// All files below a folder, relative to the workspace, without what was built.
fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        match root().join(&path).is_dir() {
            true if path.ends_with("target") => {}
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    files_below(Path::new("docs"), &mut paths);
    paths.retain(|path| path.extension().is_some_and(|end| end == "md"));
    paths.extend(PAGES_OUTSIDE.map(PathBuf::from));
    assert!(paths.len() > 15, "only {} pages found", paths.len());
    paths.iter().map(|path| Page::read(path)).collect()
}

/// The problem with a link from a file in `folder`; none if it leads somewhere.
fn problem(folder: &Path, link: &str) -> Option<String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = resolved(&folder.join(path));
    if !root().join(&target).exists() {
        return Some(format!("`{link}` leads nowhere"));
    }
    let has = || Page::read(&target).anchors().contains(anchor);
    let is_page = target.extension().is_some_and(|end| end == "md");
    (is_page && !anchor.is_empty() && !has())
        .then(|| format!("`{link}` names a place that is not in that page"))
}

/// Without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = out.pop(),
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut broken = Vec::new();
    let mut links = 0;
    for page in pages() {
        let folder = page.path.parent().unwrap();
        for link in page.links() {
            links += 1;
            // Within the page itself.
            let problem = match link.strip_prefix('#') {
                Some(anchor) if page.anchors().contains(anchor) => None,
                Some(_) => Some(format!("`{link}` is not a place of this page")),
                None => problem(folder, link),
            };
            broken.extend(problem.map(|problem| format!("  {}: {problem}", page.path.display())));
        }
    }
    assert!(links > 100, "only {links} links found");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_page_that_a_comment_names_is_there() {
    let mut paths = Vec::new();
    NAMES_PAGES.iter().for_each(|folder| files_below(Path::new(folder), &mut paths));
    let (mut broken, mut named) = (Vec::new(), 0);
    for path in paths {
        // Not text, or this file, which names what must not be named.
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        if path == Path::new("tests/pages.rs") {
            continue;
        }
        let absent = NEVER_HERE.map(|name| format!("{name}.md"));
        let absent = absent.iter().filter(|name| text.contains(name.as_str()));
        broken.extend(absent.map(|name| format!("  {}: names {name}", path.display())));
        for page in names(&text) {
            named += 1;
            let problem = problem(Path::new(""), page);
            broken.extend(problem.map(|problem| format!("  {}: {problem}", path.display())));
        }
    }
    assert!(named > 50, "only {named} names of pages found");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// `docs/….md`, with what stands behind `#`.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || "/-_.#".contains(c);
    text.match_indices("docs/").filter_map(move |(at, _)| {
        // `../docs/` and `/docs/` are paths of something else.
        let before = text[..at].chars().next_back();
        if before.is_some_and(is_part) {
            return None;
        }
        let rest = &text[at..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('.');
        name.contains(".md").then_some(name)
    })
}

#[test]
fn sentences_are_short() {
    let mut long = Vec::new();
    for page in pages() {
        let mut words = page.sentences();
        words.sort_unstable();
        let Some(most) = words.last() else { continue };
        let mean = words.iter().sum::<usize>() / words.len();
        let nine_in_ten = words[(words.len() - 1) * 9 / 10];
        if mean > WORDS_MEAN_MAX || nine_in_ten > WORDS_OF_NINE_IN_TEN_MAX || *most > WORDS_MAX {
            let path = page.path.display();
            long.push(format!(
                "  {path}: {mean} words a sentence, nine in ten up to {nine_in_ten}, the longest {most}"
            ));
        }
    }
    assert!(
        long.is_empty(),
        "at most {WORDS_MEAN_MAX} on average, {WORDS_OF_NINE_IN_TEN_MAX} and {WORDS_MAX}:\n{}",
        long.join("\n")
    );
    assert_eq!(sentences(&plain("One `a. b` two. [Three](x.md) is **four.** Five ")), [3, 3, 1]);
}

#[test]
fn pages_are_in_plain_english() {
    let mut broken = Vec::new();
    for page in pages() {
        for line in page.prose() {
            let words = line.to_lowercase();
            let is_no = words.split(" is no ").next().filter(|before| before.len() < words.len());
            let is_no = is_no.is_some_and(|before| !before.ends_with("there"));
            let foreign = FOREIGN.iter().find(|foreign| words.contains(**foreign));
            let foreign = foreign.copied().or(is_no.then_some("is no"));
            broken
                .extend(foreign.map(|it| format!("  {}: `{it}` in: {line}", page.path.display())));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The chain and the outbox have their invariants beside the code, in one sentence each; the page has the reasons.
#[test]
fn every_invariant_that_the_code_states_is_in_its_page() {
    let anchors = Page::read(Path::new("docs/design/commit.md")).anchors();
    let mut paths = Vec::new();
    files_below(Path::new("host"), &mut paths);
    let mut stated = 0;
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let rules = text.lines().filter_map(|line| line.strip_prefix("//! * **"));
        for rule in rules.filter_map(|rest| rest.split("**").next()) {
            if rule.len() <= 3 && rule[1..].parse::<u32>().is_ok() {
                stated += 1;
                let is_there = anchors.contains(&rule.to_lowercase());
                assert!(is_there, "{}: {rule} is not in docs/design/commit.md", path.display());
            }
        }
    }
    assert!(stated >= 20, "only {stated} invariants found");
}

#[test]
fn the_columns_of_our_own_tables_are_listed() {
    let tables = Page::read(Path::new("docs/tables.md")).text;
    let none = std::sync::Arc::new(arrow::datatypes::Schema::empty());
    let dead_letters = sluicegate_connect::sink::dead_letters::schema();
    for schema in [dead_letters, sluicegate_connect::sink::late::schema(&none)] {
        for field in schema.fields() {
            let name = field.name();
            assert!(tables.contains(&format!("\n| `{name}` | ")), "docs/tables.md lacks `{name}`");
        }
    }
}
