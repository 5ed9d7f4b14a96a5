//! What the demo prints → what fits a page: the narrator, the commands, and of each table the first rows. Pure.

/// Rows of a table that are kept.
const ROWS: usize = 3;

/// The first words of the narrator that are kept: what comes before is building.
const BEGIN: &str = "— Live results follow";
/// The first words that are not kept any more.
const END: &str = "— The table is";

/// None if the demo did not come to its end.
pub(super) fn excerpt(log: &str) -> Option<String> {
    let (_, log) = log.split_once(&format!("\n{BEGIN}"))?;
    let (log, _) = log.split_once(&format!("\n{END}"))?;
    let log = format!("{BEGIN}{log}");
    let mut out: Vec<String> = Vec::new();
    // Of tables that follow one another the last is kept.
    let mut table = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if line.contains(" changed rows") {
            table.clear();
            table.push(line);
            while let Some(row) = lines.next_if(|row| is_row(row)) {
                table.push(row);
            }
            continue;
        }
        show_table(&mut table, &mut out);
        if line.starts_with("— Ending") {
            // What is left of the open windows is no news.
            while lines.next_if(|line| !line.starts_with('—')).is_some() {}
        } else if line.starts_with('—') {
            paragraph(&mut out);
            out.extend(wrapped(line));
            paragraph(&mut out);
        } else if line.starts_with('+') {
            let rest: Vec<&str> = std::iter::from_fn(|| lines.next_if(|row| is_row(row))).collect();
            show_bordered(line, &rest, &mut out);
        } else {
            out.push(shortened(line));
        }
    }
    show_table(&mut table, &mut out);
    (out.len() > 10).then(|| out.join("\n") + "\n")
}

fn is_row(line: &str) -> bool {
    line.contains(" | ") || line.contains("-+-") || line.starts_with('+')
}

/// An empty line, unless there is one.
fn paragraph(out: &mut Vec<String>) {
    if out.last().is_some_and(|line| !line.is_empty()) {
        out.push(String::new());
    }
}

/// A table of live results: what it is, two lines of names, the first rows.
fn show_table(table: &mut Vec<&str>, out: &mut Vec<String>) {
    let is_cut = table.len() > 3 + ROWS;
    if !table.is_empty() {
        paragraph(out);
    }
    out.extend(table.drain(..).take(3 + ROWS).map(str::to_owned));
    if is_cut {
        out.push("…".to_owned());
        paragraph(out);
    }
}

/// A table with borders: three lines of names, the first rows, the last border.
fn show_bordered(border: &str, rest: &[&str], out: &mut Vec<String>) {
    out.push(border.to_owned());
    out.extend(rest.iter().take(2 + ROWS).map(|row| (*row).to_owned()));
    if rest.len() > 3 + ROWS {
        out.push("…".to_owned());
    }
}

/// Without the folders and the address of the machine that it ran on.
fn shortened(line: &str) -> String {
    let (line, _) = line.split_once(" --url ").unwrap_or((line, ""));
    let words = line.split(' ').map(|word| {
        let is_quoted = word.starts_with('`');
        match word.rsplit_once("/target/demo/") {
            Some((_, path)) if is_quoted => format!("`{path}"),
            Some((_, path)) => path.to_owned(),
            None if word.ends_with("/sluicegate") => "sluicegate".to_owned(),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Cut into lines that fit a page.
fn wrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 90;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one from the beginning");
        if line.is_empty() {
            *line = word.to_owned();
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH {
            *line = format!("{line} {word}");
        } else {
            lines.push(format!("  {word}"));
        }
    }
    lines
}
