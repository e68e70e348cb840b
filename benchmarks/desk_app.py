# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What gunicorn serves to the walk.

With DESK_REQUEST_LOG, a line of JSON for each request is added to that file: its name, when it began, and when
all of its work had ended, also what Frappe does after the response.
"""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

from werkzeug.wsgi import ClosingIterator

from support.desk_app import application

# What a request is about, in the order in which core's methods name it.
SUBJECTS = ("report_name", "doctype", "dt", "chart_name", "source_name", "dashboard_name", "page", "name")
LONGEST_NAME = 140


def _logged(app: Callable, path: str) -> Callable:
	log = open(path, "a", buffering=1)

	def serve(environ: dict, start_response: Callable) -> Iterator[bytes]:
		name, begun = _name_of(environ), time.time()

		def ended() -> None:
			log.write(json.dumps({"name": name, "begun": begun, "ended": time.time()}) + "\n")

		return ClosingIterator(app(environ, start_response), ended)

	return serve


def _name_of(environ: dict) -> str:
	"""The method or the path, and the doctype, report or chart that it is about."""
	body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
	environ["wsgi.input"] = io.BytesIO(body)
	values = dict(parse_qsl(environ.get("QUERY_STRING", "")))
	if "json" in environ.get("CONTENT_TYPE", ""):
		sent = json.loads(body or b"{}")
		values |= sent if isinstance(sent, dict) else {}
	else:
		values |= dict(parse_qsl(body.decode(errors="replace")))
	path = environ["PATH_INFO"]
	if path.startswith(("/app", "/desk")):
		return "the desk itself, with what its scripts begin with"
	name = values.get("cmd") or path.removeprefix("/api/method/")
	about = next((str(values[key]) for key in SUBJECTS if values.get(key)), "")
	return (f"{name}({about})" if about else name)[:LONGEST_NAME]


if os.environ.get("DESK_REQUEST_LOG"):
	application = _logged(application, os.environ["DESK_REQUEST_LOG"])
