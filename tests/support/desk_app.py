# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What gunicorn serves to a browser: Frappe's application, and what nginx does in front of it in production."""

import os
from collections.abc import Callable, Iterable

from frappe.app import application as frappe_application
from werkzeug.middleware.shared_data import SharedDataMiddleware


def with_assets(app: Callable) -> Callable:
	"""Assets from the disk; and no page of the website for socket.io, which has no server here."""
	files = SharedDataMiddleware(app, {"/assets": os.path.abspath("assets")})

	def serve(environ: dict, start_response: Callable) -> Iterable[bytes]:
		if environ["PATH_INFO"].startswith("/socket.io"):
			start_response("503 Service Unavailable", [("Content-Length", "0")])
			return []
		return files(environ, start_response)

	return serve


application = with_assets(frappe_application)
