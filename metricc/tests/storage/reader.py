"""Prints the newest version of a Delta table as JSON, as Polars and delta-rs read it.

Neither shares code with metricc. Arguments: the URL of the table, and options of the store as a JSON object.
"""

import datetime
import decimal
import json
import sys

import polars
from deltalake import DeltaTable


def shown(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, decimal.Decimal):
        return str(value)
    return value


table = DeltaTable(sys.argv[1], storage_options=json.loads(sys.argv[2]) or None)
said = json.loads(table.history(1)[0]["userMetadata"])
rows = polars.read_delta(table).to_dicts()
rows = [{name: shown(value) for name, value in row.items()} for row in rows]
print(json.dumps({"said": said, "rows": rows}))
