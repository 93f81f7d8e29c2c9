//! What a page shows of the command line: each command in it is run, and what it writes stands
//! below it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The page with fresh answers. A command is a line of a block that begins with `$ `; its answer
/// goes as far as the next one, or the block's end.
pub(super) fn page(path: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (mut lines, mut commands) = (Vec::new(), 0);
    let mut is_answer = false;
    for line in text.lines() {
        is_answer &= !line.starts_with("```");
        if let Some(command) = line.strip_prefix("$ ") {
            if is_answer {
                lines.push(String::new());
            }
            lines.push(line.to_owned());
            lines.push(answer(command).trim_end().to_owned());
            (is_answer, commands) = (true, commands + 1);
        } else if !is_answer {
            lines.push(line.to_owned());
        }
    }
    assert!(commands > 0, "{path} shows no command");
    lines.join("\n") + "\n"
}

/// What a shell shows of it, where the files of the documents are and no cluster is.
fn answer(command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_registrycheck")).parent().unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("PATH={}:$PATH; {command}", program.display())])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/documents"))
        .env("KUBECONFIG", "/nonexistent/kubeconfig")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{command}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
