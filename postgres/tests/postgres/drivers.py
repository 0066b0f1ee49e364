"""Drivers of PostgreSQL against the protocol: psycopg, psycopg2 with SQLAlchemy and pandas, and ODBC."""

import datetime
import decimal
import sys

PORT = int(sys.argv[1])
UTC = datetime.timezone.utc
BY_COUNTRY = "SELECT country, MEASURE(n) AS n, MEASURE(mean) AS mean FROM orders GROUP BY country ORDER BY country"


def psycopg_3():
    import psycopg

    with psycopg.connect(host="127.0.0.1", port=PORT, user="analyst", dbname="metricc") as connection:
        rows = connection.execute(BY_COUNTRY).fetchall()
        assert [row[:2] for row in rows] == [("DE", 20), ("FR", 20), ("IN", 20)], rows
        assert all(isinstance(row[2], decimal.Decimal) for row in rows), rows
        connection.commit()
        # Parameters of both forms, of every type of key, in text and in binary.
        start = datetime.datetime(2026, 4, 25, 1, tzinfo=UTC)
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            cursor.execute(
                "SELECT window_start, country, value FROM revenue WHERE country = %s AND window_start >= %s "
                "ORDER BY window_start", ("IN", start))
            found = cursor.fetchall()
            assert len(found) == 2 and found[0][0] == start and found[0][1] == "IN", found
            assert isinstance(found[0][2], decimal.Decimal), found
            cursor.execute("SELECT count(*) FROM payments WHERE _offset < %s AND device = %s", (10, "ios"), prepare=True)
            assert cursor.fetchone() == (5,)
        connection.commit()
        # One prepared statement, many times.
        for n in range(20):
            country = ["IN", "DE", "FR"][n % 3]
            row = connection.execute(
                "SELECT MEASURE(n) FROM orders WHERE country = %s", (country,), prepare=True).fetchone()
            assert row == (20,), row
        connection.rollback()
        # A cursor of the server's.
        with connection.cursor(name="few") as cursor:
            cursor.itersize = 7
            cursor.execute("SELECT _offset FROM payments ORDER BY _offset")
            assert [row[0] for row in cursor] == list(range(60))
        connection.rollback()
        for statement, code in [("SELECT sum(mean) FROM orders", "42000"), ("DROP TABLE revenue", "25006"),
                                ("SELECT * FROM nothing", "42P01"), ("SELECT '", "42601")]:
            try:
                connection.execute(statement)
                raise AssertionError(statement)
            except psycopg.Error as error:
                assert error.sqlstate == code, (statement, error.sqlstate, error)
            connection.rollback()


def copies():
    """COPY in its binary form, as psycopg reads it and as ADBC does for pyarrow and Polars."""
    import adbc_driver_postgresql.dbapi
    import psycopg

    copied = "SELECT country, window_start, value, country = 'IN' AS is_in FROM revenue ORDER BY 2, 1"
    with psycopg.connect(host="127.0.0.1", port=PORT, user="analyst", dbname="metricc") as connection:
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY ({copied}) TO STDOUT (FORMAT binary)") as copy:
                copy.set_types(["text", "timestamptz", "numeric", "bool"])
                binary = list(copy.rows())
            assert binary == cursor.execute(copied).fetchall() and binary, binary
            with cursor.copy("COPY (SELECT country FROM revenue WHERE false) TO STDOUT (FORMAT binary)") as copy:
                copy.set_types(["text"])
                assert list(copy.rows()) == []
    with adbc_driver_postgresql.dbapi.connect(f"postgresql://analyst@127.0.0.1:{PORT}/metricc") as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT country, window_start, MEASURE(value) AS revenue FROM revenue GROUP BY 1, 2 ORDER BY 2, 1")
            table = cursor.fetch_arrow_table()
            assert table.column_names == ["country", "window_start", "revenue"], table.schema
            rows = list(zip(*table.to_pydict().values()))
            assert [(row[0], row[1], decimal.Decimal(row[2])) for row in rows] == [row[:3] for row in binary], rows


def sqlalchemy_and_pandas():
    import pandas
    import sqlalchemy

    for driver in ("psycopg", "psycopg2"):
        engine = sqlalchemy.create_engine(f"postgresql+{driver}://analyst@127.0.0.1:{PORT}/metricc")
        inspector = sqlalchemy.inspect(engine)
        tables = set(inspector.get_table_names(schema="public")) | set(inspector.get_view_names(schema="public"))
        assert {"revenue", "orders", "payments"} <= tables, (driver, tables)
        comment = inspector.get_table_comment("revenue")
        assert comment["text"] == "What was paid, per hour and country.", comment
        assert "public" in inspector.get_schema_names()
        columns = {column["name"]: column for column in inspector.get_columns("orders")}
        assert list(columns) == ["window_start", "window_end", "country", "device", "n", "users", "mean"], columns
        assert isinstance(columns["n"]["type"], sqlalchemy.BigInteger) and columns["window_start"]["type"].timezone
        for nothing in ("get_indexes", "get_foreign_keys", "get_unique_constraints", "get_check_constraints"):
            assert getattr(inspector, nothing)("orders") == [], nothing
        orders = sqlalchemy.Table("orders", sqlalchemy.MetaData(), autoload_with=engine)
        measured = sqlalchemy.select(orders.c.country, sqlalchemy.func.measure(orders.c.n).label("n"))
        with engine.connect() as connection:
            rows = connection.execute(measured.group_by(orders.c.country).order_by(orders.c.country)).fetchall()
            assert [tuple(row) for row in rows] == [("DE", 20), ("FR", 20), ("IN", 20)], rows
            frame = pandas.read_sql(sqlalchemy.text(BY_COUNTRY), connection)
            assert list(frame["country"]) == ["DE", "FR", "IN"] and list(frame["n"]) == [20, 20, 20], frame
            # What a BI tool makes of a chart: a virtual table, and the aggregate that it knows.
            frame = pandas.read_sql(sqlalchemy.text(
                "SELECT date_trunc('day', window_start) AS day, country, sum(value) AS revenue "
                "FROM (SELECT * FROM revenue) AS virtual_table GROUP BY 1, 2 ORDER BY revenue DESC LIMIT 100"), connection)
            assert len(frame) == 3 and frame["day"].nunique() == 1, frame
            # As Superset writes a range of time.
            frame = pandas.read_sql(sqlalchemy.text(
                "SELECT sum(value) AS revenue FROM revenue WHERE window_start >= TO_TIMESTAMP('2026-04-25 01:00:00.000000', "
                "'YYYY-MM-DD HH24:MI:SS.US') AND window_start < TO_TIMESTAMP('2026-04-26 00:00:00.000000', "
                "'YYYY-MM-DD HH24:MI:SS.US')"), connection)
            later = pandas.read_sql(sqlalchemy.text(
                "SELECT sum(amount) AS revenue FROM payments WHERE at >= '2026-04-25T01:00:00Z'"), connection)
            assert frame["revenue"][0] == later["revenue"][0], (frame, later)
        engine.dispose()


def odbc():
    import pyodbc

    connection = pyodbc.connect(
        f"Driver={{PostgreSQL Unicode}};Server=127.0.0.1;Port={PORT};Database=metricc;Uid=analyst;Pwd=x;", autocommit=True)
    cursor = connection.cursor()
    rows = cursor.execute("SELECT country, MEASURE(n) FROM orders WHERE country = ? GROUP BY country", "IN").fetchall()
    assert [tuple(row) for row in rows] == [("IN", 20)], rows
    names = {row.table_name for row in cursor.tables()}
    assert {"revenue", "orders", "payments"} <= names, names
    columns = [row.column_name for row in cursor.columns(table="revenue")]
    assert columns == ["window_start", "window_end", "country", "value"], columns
    connection.close()


for check in (psycopg_3, copies, sqlalchemy_and_pandas, odbc):
    check()
    print(check.__name__, "ok", flush=True)
