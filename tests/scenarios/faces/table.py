"""The whole table, by its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.scenarios.faces.row import Row
from tests.scenarios.faces.rows_carriers import browser_rows, carrier_rows, form_rows
from tests.scenarios.faces.rows_requests import lure_rows, metadata_rows, method_rows, path_rows, socket_rows
from tests.scenarios.faces.rows_tokens import demand_rows, token_rows

PARTS: Final[Mapping[str, tuple[Row, ...]]] = {
    "tokens": tuple(token_rows()),
    "demands": tuple(demand_rows()),
    "carriers": tuple(carrier_rows()),
    "browsers": tuple(browser_rows()),
    "forms": tuple(form_rows()),
    "lures": tuple(lure_rows()),
    "methods": tuple(method_rows()),
    "paths": tuple(path_rows()),
    "metadata": tuple(metadata_rows()),
    "sockets": tuple(socket_rows()),
}
TABLE: Final[Mapping[str, Row]] = {row.name: row for part in PARTS.values() for row in part}
assert len(TABLE) == sum(map(len, PARTS.values())), "two rows have one name"
