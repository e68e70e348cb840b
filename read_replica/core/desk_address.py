# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Where the desk stands in this version of Frappe."""

import frappe

# v16 redirects the old path, but sends users to the screen of apps if a tile there leads anywhere but to the new one.
DESK = "/desk" if int(frappe.__version__.partition(".")[0]) > 15 else "/app"
