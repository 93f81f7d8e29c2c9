//! `docs/command-line.md`: every command with its options, as the program itself tells them.

use std::fmt::Write as _;

use crate::command_line::{NO_CLUSTER, run};

const INTRODUCTION: &str = "\
<!-- Made from the program's own help by `make update`. -->

# The command line

`registrycheck` is the controller and what is asked at the shell. As `kubectl-registrycheck` in `PATH` it is
`kubectl registrycheck`; `deploy/krew/registrycheck.yaml` installs it so, once a release has filled it in.
`source <(registrycheck completions bash)` completes commands and options; zsh, fish, elvish and powershell
have theirs.

## Exit status

| status | meaning |
|---|---|
| 0 | yes: it can be pulled, nothing stands in the way, it was printed |
| 1 | no: it cannot be pulled |
| 2 | what was typed, or a file that it names, is wrong |
| 3 | undecided: something that could change the answer could not be seen |

## Errors

An error is one line on standard error, and where there is something to do about it, that follows:

```
error: cannot use secrets.yaml: Secret regcred: data.token is not base64
hint: to write it plainly, put it under stringData
```

What is wrong with the arguments themselves is followed by how they are used. Colours and progress are for a
terminal alone; `NO_COLOR` turns the colours off.

## For programs

`-o json` and `-o yaml` have the same fields. None of them is renamed, taken away or used for something else;
there may be more of them. [check](check.md#for-a-program) and [doctor](doctor.md) have one form;
[credentials](credentials.md) and [explain](explain.md) have their own, and so has each line of `--batch` and
of `explain -`.

| command | fields |
|---|---|
| `check`, `doctor` | `image`, `pullable`, `findings` (`code`, `severity`, `confidence`, `owner`, `message`, `remedy`), `probes` (`image`, `credential`, `vantage`, `outcome`, `steps` (`name`, `result`, `detail`, `durationMs`)) |
| `credentials` | `image`, `repository`, `error`, `anonymous`, `credentials` (`secret`, `key`, `username`, `passwordSha256`), `unused` (`secret`, `key`, `reason`) |
| `credentials --batch`, a line each | `id`, `error`, `repository`, `credentials` (`username`, `passwordSha256`, `secret`) |
| `explain -`, a line each | `findings` (`code`, `confidence`) |

";

pub(super) fn page() -> String {
    let help = run(NO_CLUSTER, &["--help"], "").out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter(|line| !line.starts_with("   "));
    let commands: Vec<&str> = commands
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    let mut page = format!("{INTRODUCTION}## Commands\n\n```\n{}\n```\n", help.trim_end());
    for command in commands {
        let help = run(NO_CLUSTER, &[command, "--help"], "");
        assert_eq!(help.status, 0, "{command}: {}", help.err);
        let _ =
            write!(page, "\n### registrycheck {command}\n\n```\n{}\n```\n", help.out.trim_end());
    }
    page
}
