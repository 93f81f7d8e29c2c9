//! `docs/terminal.svg`: the first answer of the README as a terminal shows it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The size of a character, in pixels.
const WIDTH: f64 = 7.83;
const HEIGHT: usize = 20;
const MARGIN: usize = 16;

/// The picture of the first block of the README, as far as its first empty line.
pub(super) fn terminal() -> String {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("```").nth(1).unwrap().trim_start();
    let lines: Vec<&str> = block.lines().take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 3 && lines[0].starts_with("$ kubectl get registrychecks"), "{lines:?}");
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap();
    let columns: f64 = u32::try_from(columns).unwrap().into();
    let margins: f64 = u32::try_from(2 * MARGIN).unwrap().into();
    let (width, height) = (columns * WIDTH + margins, lines.len() * HEIGHT + 2 * MARGIN);
    let mut picture = format!(
        "<!-- Made from README.md by `make update`. -->\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1e1e2e\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#cdd6f4\" \
         xml:space=\"preserve\">\n",
        escaped(lines[0].trim_start_matches("$ "))
    );
    for (place, line) in lines.iter().enumerate() {
        let y = MARGIN + 14 + place * HEIGHT;
        let text = escaped(line)
            .replace(" False ", " <tspan fill=\"#f38ba8\">False</tspan> ")
            .replace(" True ", " <tspan fill=\"#a6e3a1\">True</tspan> ");
        let weight = if place < 2 { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(picture, "<text x=\"{MARGIN}\" y=\"{y}\"{weight}>{text}</text>");
    }
    picture + "</g>\n</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
