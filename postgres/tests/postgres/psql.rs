//! psql, the client that everybody has.

use std::process::{Command, Output};

use crate::door::{Server, TOKEN};

/// The program that `METRICC_POSTGRES` names the folder of, or that is on the path.
#[expect(clippy::print_stderr, reason = "says why a test is skipped")]
fn psql() -> Option<String> {
    let found = Command::new("psql").arg("--version").output();
    match found {
        Ok(_) => Some("psql".to_owned()),
        Err(_) if std::env::var_os("CI").is_some() => {
            panic!("psql is not installed: `apt install postgresql-client`")
        }
        Err(_) => {
            eprintln!("skipped: psql is not installed");
            None
        }
    }
}

fn run(program: &str, server: &Server, password: Option<&str>, commands: &[&str]) -> Output {
    let port = server.address.port().to_string();
    let mut command = Command::new(program);
    command.args(["-X", "-A", "-h", "127.0.0.1", "-p", &port, "-U", "analyst", "-d", "metricc"]);
    command.args(["-v", "ON_ERROR_STOP=1"]);
    for text in commands {
        command.args(["-c", text]);
    }
    command.env("PGPASSWORD", password.unwrap_or("")).env("PGCONNECT_TIMEOUT", "10");
    command.output().expect("psql runs")
}

fn answer(server: &Server, commands: &[&str]) -> Option<String> {
    let output = run(&psql()?, server, None, commands);
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{commands:?}: {problem}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn measures_are_merged_and_presented_once() {
    let server = Server::start(false);
    let Some(text) = answer(
        &server,
        &["SELECT country, MEASURE(n), MEASURE(users) FROM orders GROUP BY country ORDER BY 1"],
    ) else {
        return;
    };
    assert_eq!(
        text,
        "country|measure(orders.n)|measure(orders.users)\nDE|20|11\nFR|20|11\nIN|20|11\n(3 rows)\n"
    );
}

#[test]
fn subqueries_have_their_values() {
    let server = Server::start(false);
    let by = "FROM (SELECT DISTINCT country FROM revenue) AS r ORDER BY 1";
    let counted = "(SELECT count(*) FROM payments AS p WHERE p.country = r.country)";
    let Some(text) = answer(&server, &[&format!("SELECT r.country, {counted} AS n {by}")]) else { return };
    assert!(text.contains("DE|20\nFR|20\nIN|20\n"), "{text}");
    for (pattern, is_like) in
        [("a/_c", true), ("a/__", true), ("a/_/_", false), ("a//_", false), ("a\\\\/_%", false)]
    {
        let text = answer(&server, &[&format!("SELECT 'a_c' LIKE '{pattern}' ESCAPE '/'")]);
        let text = text.expect("psql");
        assert_eq!(text.lines().nth(1), Some(if is_like { "t" } else { "f" }), "{pattern}");
    }
    // One that is no scalar is an error, and not the first of its rows.
    let program = psql().expect("psql");
    let output = run(&program, &server, None, &["SELECT (SELECT country FROM payments)"]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn tables_are_listed_and_described_with_their_comments() {
    let server = Server::start(false);
    let Some(text) = answer(&server, &["\\d"]) else { return };
    for table in ["revenue", "orders", "payments"] {
        assert!(text.contains(table), "{text}");
    }
    let text = answer(&server, &["\\d orders"]).expect("psql");
    assert!(text.contains("window_start|timestamp with time zone") && text.contains("n|bigint"), "{text}");
    let text = answer(&server, &["\\d+"]).expect("psql");
    assert!(text.contains("What was paid, per hour and country."), "{text}");
    let text = answer(&server, &["\\dt+ payments"]).expect("psql");
    assert!(text.contains("Payments, as the gateway reports them."), "{text}");
    for command in [
        "\\l",
        "\\dn",
        "\\conninfo",
        "\\dv",
        "\\di",
        "\\ds",
        "\\df",
        "\\du",
        "\\dT",
        "\\d+ orders",
        "\\dx",
        "\\db",
        "\\l+",
        "\\dm",
        "\\dE",
        "\\da",
        "\\dc",
        "\\dC",
        "\\dD",
        "\\dy",
        "\\dRp",
        "\\dO",
        "\\dv+",
        "\\dg",
        "\\det",
        "\\des",
        "\\dX",
    ] {
        answer(&server, &[command]);
    }
}

#[test]
fn a_token_is_the_password() {
    let Some(program) = psql() else { return };
    let server = Server::start(true);
    let output = run(&program, &server, Some(TOKEN), &["SELECT 1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for password in [Some("another"), None] {
        let output = run(&program, &server, password, &["SELECT 1"]);
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{password:?}");
        assert!(password.is_none() || problem.contains("not a token of this node"), "{problem}");
    }
}

#[test]
fn one_connection_too_many_is_told_so() {
    let Some(program) = psql() else { return };
    let server = Server::start(false);
    let open: Vec<_> = (0..20).map(|_| crate::wire::ready(&server)).collect();
    let output = run(&program, &server, None, &["SELECT 1"]);
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && problem.contains("too many clients"), "{problem}");
    assert!(problem.contains("`max_connections` under `[postgres]` is 20"), "{problem}");
    drop(open);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !run(&program, &server, None, &["SELECT 1"]).status.success() {
        assert!(std::time::Instant::now() < end, "the places are free again");
    }
}

#[test]
fn statements_that_write_are_refused() {
    let Some(program) = psql() else { return };
    let server = Server::start(false);
    for statement in [
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO revenue VALUES (1)",
        "DELETE FROM revenue",
        "UPDATE revenue SET value = 0",
        "DROP TABLE revenue",
        "COPY revenue TO '/tmp/never.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "PREPARE p AS INSERT INTO revenue VALUES (1)",
        "EXPLAIN INSERT INTO revenue VALUES (1)",
        "EXPLAIN ANALYZE INSERT INTO revenue VALUES (1)",
        "DECLARE c CURSOR FOR INSERT INTO revenue VALUES (1)",
        "WITH x AS (INSERT INTO revenue VALUES (1) RETURNING *) SELECT * FROM x",
        "SELECT * INTO t FROM revenue",
    ] {
        let output = run(&program, &server, None, &[statement]);
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{statement}");
        assert!(problem.contains("ERROR"), "{statement}: {problem}");
    }
    assert!(!std::path::Path::new("/tmp/never.csv").exists());
}

#[test]
fn rows_are_copied_out() {
    let server = Server::start(false);
    let copied = "(SELECT country, MEASURE(n) AS n FROM orders GROUP BY country ORDER BY 1)";
    let Some(text) = answer(&server, &[&format!("\\copy {copied} TO STDOUT CSV HEADER")]) else { return };
    assert_eq!(text, "country,n\nDE,20\nFR,20\nIN,20\n");
    let text = answer(&server, &[&format!("COPY {copied} TO STDOUT (FORMAT text, DELIMITER '|')")]);
    assert_eq!(text.as_deref(), Some("DE|20\nFR|20\nIN|20\n"));
    let texts = "(VALUES ('', 1), (NULL, 2), ('a\"b,c', 3), (E'x\ty\\\\z', 4))";
    let text = answer(&server, &[&format!("COPY (SELECT * FROM {texts} AS t (a, b)) TO STDOUT CSV")]);
    assert_eq!(text.as_deref(), Some("\"\",1\n,2\n\"a\"\"b,c\",3\n\"x\ty\\z\",4\n"));
    let text = answer(&server, &[&format!("COPY (SELECT * FROM {texts} AS t (a, b)) TO STDOUT")]);
    assert_eq!(text.as_deref(), Some("\t1\n\\N\t2\na\"b,c\t3\nx\\ty\\\\z\t4\n"));
    let text = answer(&server, &["COPY payments (_offset) TO STDOUT"]).expect("psql");
    assert_eq!(text.lines().count(), 60, "{text}");
}

#[test]
fn a_copy_that_fails_says_why() {
    let Some(program) = psql() else { return };
    let server = Server::with_limits(false, 5);
    for (statement, problem) in [
        ("COPY revenue FROM STDIN", "cannot execute COPY FROM"),
        ("COPY revenue TO PROGRAM 'cat'", "write TO STDOUT"),
        ("COPY payments TO STDOUT", "more than 5 rows"),
        ("COPY (SELECT sum(mean) FROM orders) TO STDOUT", "MEASURE"),
        ("COPY nothing TO STDOUT", "nothing"),
        ("COPY revenue TO STDOUT (FORMAT parquet)", "text, csv or binary"),
        ("COPY revenue TO STDOUT (FORMAT binary, HEADER)", "in binary form"),
        ("SELECT 1; COPY revenue TO STDOUT", "a statement of its own"),
    ] {
        let output = run(&program, &server, None, &[statement]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{statement}");
        assert!(said.contains(problem) && !said.contains("unexpected"), "{statement}: {said}");
    }
}

#[test]
fn errors_have_their_codes() {
    let Some(program) = psql() else { return };
    let server = Server::with_limits(false, 5);
    for (statement, code, text) in [
        ("SELEC 1", "42601", "Expected"),
        ("SELECT * FROM nothing", "42P01", "nothing"),
        ("SELECT nothing FROM revenue", "42703", "nothing"),
        ("SELECT sum(mean) FROM orders", "42000", "Write MEASURE(mean)"),
        ("SELECT * FROM payments", "54000", "more than 5 rows"),
        ("INSERT INTO revenue VALUES (1)", "25006", "only read"),
    ] {
        let output = run(&program, &server, None, &["\\set VERBOSITY verbose", statement]);
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(problem.contains(code) && problem.contains(text), "{statement}: {problem}");
    }
}

#[test]
fn a_transaction_and_a_cursor_are_understood() {
    let server = Server::start(false);
    let commands = [
        "BEGIN READ ONLY",
        "DECLARE c CURSOR FOR SELECT country FROM revenue WHERE window_start = '2026-04-25T00:00:00Z' ORDER BY 1",
        "FETCH 2 FROM c",
        "CLOSE c",
        "COMMIT",
        "SET statement_timeout = 1000",
        "SHOW TRANSACTION ISOLATION LEVEL",
    ];
    let Some(text) = answer(&server, &[&commands.join("; ")]) else { return };
    assert!(text.contains("DE\nFR\n(2 rows)"), "{text}");
}
