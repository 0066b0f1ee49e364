//! Drivers that BI tools and notebooks use. `drivers.py` runs them, with the Python that
//! `METRICC_POSTGRES_CLIENTS` names.

use std::process::Command;

use crate::door::Server;

#[test]
fn psycopg_adbc_sqlalchemy_pandas_and_odbc_read_measures() {
    let Some(python) = std::env::var_os("METRICC_POSTGRES_CLIENTS") else {
        println!(
            "skipped: METRICC_POSTGRES_CLIENTS names no Python with psycopg, ADBC, SQLAlchemy, pandas and pyodbc"
        );
        return;
    };
    let server = Server::start(false);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/drivers.py");
    let output = Command::new(python).arg(script).arg(server.address.port().to_string()).output();
    let output = output.expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}\n{problem}");
    assert_eq!(said.matches("ok").count(), 4, "{said}");
}
