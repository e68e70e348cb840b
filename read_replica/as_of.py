# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells whoever asked how fresh the data of an answer is."""

from datetime import datetime, timezone
from typing import Any

from read_replica.engine.request import RequestState

HEADER = "X-Read-Replica"


def tell(response: Any, state: RequestState) -> None:
	"""Name in a response's header the replicas that answered, and the time and position of their data."""
	if state.as_of is None or not hasattr(response, "headers"):
		return
	at = datetime.fromtimestamp(state.as_of.time, timezone.utc).isoformat(timespec="milliseconds")
	servers = ",".join(sorted(state.servers))
	response.headers[HEADER] = f"server={servers}; as_of={at}; position={state.as_of.position}"
