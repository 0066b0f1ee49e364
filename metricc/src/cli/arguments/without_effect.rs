//! Options that would have no effect beside others, and are refused: whoever gives one expects something of it.
//! What clap itself can say (`conflicts_with`, `requires`) stands at the arguments.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use metricc_dsl::Code;

use super::{EngineChoice, QueryFormat};

/// Options of a command, by their ids, when they have no effect, and why.
struct Rule {
    command: &'static str,
    options: &'static [&'static str],
    applies: fn(&ArgMatches) -> bool,
    why: &'static str,
}

/// How logs are read.
const OF_LOGS: &[&str] = &[
    "workers",
    "max_rejected",
    "rejected",
    "allow_empty",
    "from_offset",
    "since",
    "to_offset",
    "registry",
    "registry_auth",
    "kafka_tls",
    "kafka_ca",
    "kafka_client_cert",
    "kafka_client_key",
    "kafka_user",
    "kafka_password",
    "kafka_mechanism",
];

const RULES: &[Rule] = &[
    Rule {
        command: "ask",
        options: OF_LOGS,
        applies: |given| !is_given(given, "file"),
        why: "the node reads its own log; with a `.metric` file, this command reads the files of `--source`",
    },
    Rule {
        command: "ask",
        options: &["sources"],
        applies: |given| !is_given(given, "file"),
        why: "it is about files: name the `.metric` file that declares the source, after the question",
    },
    Rule {
        command: "ask",
        options: &[
            "estimate",
            "keep",
            "no_wait",
            "by_whom",
            "at",
            "page",
            "receipt",
            "full_hashes",
            "node",
            "token_file",
            "timeout",
        ],
        applies: |given| is_given(given, "file"),
        why: "with a `.metric` file, no node is asked",
    },
    Rule {
        command: "ask",
        options: &["limit"],
        applies: |given| {
            output(given) != Some(QueryFormat::Table) || given.get_flag("json") || given.get_flag("estimate")
        },
        why: "it is about tables: `--page` reads a part of the rows",
    },
    Rule {
        command: "diff",
        options: OF_LOGS,
        applies: is_live,
        why: "with `--live`, the node compares the rows that it serves, and this command reads no log",
    },
    Rule {
        command: "diff",
        options: &["of_version", "old_version", "node", "token_file", "timeout"],
        applies: |given| !is_live(given),
        why: "it is about versions of a running node: give `--live` with it",
    },
    Rule {
        command: "diff",
        options: OF_LOGS,
        applies: |given| !is_live(given) && !is_given(given, "sources"),
        why: "without `--source`, no log is read",
    },
    Rule {
        command: "diff",
        options: &["rows", "causes", "within"],
        applies: |given| !is_live(given) && !is_given(given, "sources"),
        why: "rows are compared with `--source` or `--live`, and without them definitions alone",
    },
    Rule {
        command: "query",
        options: &[
            "keys",
            "by",
            "having",
            "order",
            "per_window",
            "totals",
            "share",
            "compare",
            "fill",
            "from",
            "to",
            "grain",
            "latest",
            "live",
            "at",
            "wait",
            "wait_for",
            "epoch",
            "page",
            "cursor",
            "receipt",
            "explain",
            "plot",
            "output",
            "full_hashes",
            "limit",
        ],
        applies: |given| !is_given(given, "metric"),
        why: "without a metric, the metrics of the node are listed: name the metric to read",
    },
    Rule {
        command: "query",
        options: &["wait_for"],
        applies: |given| !is_given(given, "wait"),
        why: "it is how long to wait for the frontier of `--wait`",
    },
    Rule {
        command: "query",
        options: &["wait_for"],
        applies: is_live,
        why: "with `--live`, the first rows come as soon as they cover the frontier of `--wait`",
    },
    Rule {
        command: "query",
        options: &["limit"],
        applies: |given| output(given) != Some(QueryFormat::Table) || given.get_flag("plot"),
        why: "it is about tables: `--page` reads a part of the rows",
    },
    Rule {
        command: "query",
        options: &["full_hashes"],
        applies: |given| matches!(output(given), Some(QueryFormat::Csv | QueryFormat::Arrow)),
        why: "with `--output csv` and `--output arrow`, no hash is printed",
    },
    Rule {
        command: "explain",
        options: &["metric", "stage", "format"],
        applies: |given| {
            let subject = given.get_one::<std::path::PathBuf>("subject").and_then(|subject| subject.to_str());
            subject.and_then(Code::parse).is_some()
        },
        why: "the explanation of a code is one text: it is about the metrics of a file",
    },
    Rule {
        command: "run",
        options: &["cut"],
        applies: |given| matches!(engine(given), Some(EngineChoice::Batch | EngineChoice::Stream)),
        why: "only `--engine merged` divides the log",
    },
    Rule {
        command: "run",
        options: &["memory"],
        applies: |given| engine(given) == Some(EngineChoice::Stream),
        why: "it is about the batch engine: `--engine stream` has all states in memory",
    },
    Rule {
        command: "run",
        options: &["workers"],
        applies: |given| is_given(given, "cluster"),
        why: "with `--cluster`, executors compute, as many jobs at a time as their `--slots` say",
    },
    Rule {
        command: "run",
        options: &["limit"],
        applies: |given| given.get_one("output") != Some(&super::OutputFormat::Table),
        why: "it is about tables: other formats have all rows",
    },
    Rule {
        command: "compare",
        options: &["verbose"],
        applies: |given| given.get_one("output") == Some(&super::DiffFormat::Json),
        why: "JSON always says what was tried",
    },
];

fn is_live(given: &ArgMatches) -> bool {
    given.get_flag("live")
}

fn output(given: &ArgMatches) -> Option<QueryFormat> {
    given.get_one("output").copied()
}

fn engine(given: &ArgMatches) -> Option<EngineChoice> {
    given.get_one("engine").copied()
}

/// Whether an argument stands on the command line. Variables of the environment are for all commands.
fn is_given(given: &ArgMatches, id: &str) -> bool {
    given.value_source(id) == Some(ValueSource::CommandLine)
}

/// Refuses an option without effect.
///
/// # Errors
/// Names the first one, and why it has none.
pub(super) fn check(mut command: Command, given: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, given)) = given.subcommand() else { return Ok(()) };
    for rule in RULES.iter().filter(|rule| rule.command == name) {
        let Some(id) = rule.options.iter().find(|id| is_given(given, id)) else { continue };
        if !(rule.applies)(given) {
            continue;
        }
        command.build();
        let Some(own) = command.find_subcommand_mut(name) else { continue };
        let shown =
            own.get_arguments().find(|argument| argument.get_id() == *id).map(shown).unwrap_or_default();
        let problem = format!("`{shown}` has no effect here: {}", rule.why);
        return Err(own.error(ErrorKind::ArgumentConflict, problem));
    }
    Ok(())
}

/// An argument as it is written.
fn shown(argument: &clap::Arg) -> String {
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => format!("[{}]", argument.get_id().as_str().to_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::arguments::Arguments;

    fn said(arguments: &str) -> Result<(), String> {
        let command = Arguments::command();
        let matches =
            command.clone().try_get_matches_from(arguments.split(' ')).map_err(|error| error.to_string())?;
        check(command, &matches).map_err(|error| error.to_string())
    }

    #[test]
    fn rules_are_of_options_that_there_are() {
        let command = Arguments::command();
        for rule in RULES {
            let own = command.find_subcommand(rule.command).expect(rule.command);
            for id in rule.options {
                assert!(
                    own.get_arguments().any(|argument| argument.get_id() == *id),
                    "{}: {id}",
                    rule.command
                );
            }
        }
    }

    /// Each of the rules, by its first option and one beside which it has an effect.
    #[test]
    fn options_without_effect_are_named_with_the_reason() {
        for (arguments, wanted) in [
            ("ask q --workers 3", "`--workers` has no effect here: the node reads its own log"),
            ("ask q --source s=a", "`--source` has no effect here: it is about files"),
            ("ask q a.metric --keep n", "`--keep` has no effect here: with a `.metric` file"),
            ("ask q --json --limit 3", "`--limit` has no effect here"),
            ("diff --live --max-rejected 3", "`--max-rejected` has no effect here: with `--live`"),
            ("diff --live --workers 3", "`--workers` has no effect here: with `--live`"),
            ("diff --live --kafka-tls", "`--kafka-tls` has no effect here: with `--live`"),
            (
                "diff a b --old-version 2",
                "`--old-version` has no effect here: it is about versions of a running node",
            ),
            ("diff --of-version 2", "give `--live` with it"),
            ("diff a b --node http://a:1", "`--node` has no effect here"),
            ("diff a b --workers 2", "without `--source`, no log is read"),
            ("diff a b --causes 2", "rows are compared with `--source` or `--live`"),
            ("query --key a=b", "`--key` has no effect here: without a metric"),
            ("query --output json", "`--output` has no effect here: without a metric"),
            ("query m --wait-for 3s", "the frontier of `--wait`"),
            ("query m --wait 3 --wait-for 3s --live", "with `--live`"),
            ("query m --limit 3 --output json", "`--limit` has no effect here: it is about tables"),
            ("query m --limit 3 --plot", "`--limit` has no effect here"),
            ("query m --full-hashes --output csv", "no hash is printed"),
            ("explain M0012 revenue", "`[METRIC]` has no effect here"),
            ("explain M0012 --stage batch", "`--stage` has no effect here"),
            ("run a --engine batch --cut 0.3", "only `--engine merged` divides the log"),
            ("run a --engine stream --memory 3", "`--memory` has no effect here"),
            ("run a --cluster df://a --workers 3", "`--workers` has no effect here: with `--cluster`"),
            ("run a --output json --limit 3", "`--limit` has no effect here"),
            ("compare a --metric m --with b --output json --verbose", "JSON always says"),
        ] {
            let found = said(&format!("metricc {arguments}")).expect_err(arguments);
            assert!(found.contains(wanted) && found.contains("--help"), "{arguments}: {found}");
        }
    }

    #[test]
    fn options_with_an_effect_are_taken() {
        for arguments in [
            "ask q --keep n --no-wait --by-whom anna --limit 3 --page 5 --receipt --at 3",
            "ask q a.metric --source s=log --workers 2 --json",
            "diff --live --rows 3 --causes 2 --within 3s --of-version 2 --old-version 1 --node http://a:1",
            "diff a b --source s=log --workers 2 --max-rejected 3 --causes 2",
            "query m --wait 3 --wait-for 3s --limit 3 --full-hashes",
            "query m --full-hashes --output json",
            "query --node http://a:1",
            "explain a revenue --stage batch",
            "run a --cut 0.3 --memory 3 --workers 2 --limit 3",
            "run a --engine merged --cut 0.3",
            "compare a --metric m --with b --verbose",
        ] {
            assert_eq!(said(&format!("metricc {arguments}")), Ok(()), "{arguments}");
        }
    }
}
