# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""An app of a site on two servers, for the tests: it tells which server has run what."""

__version__ = "0.0.1"
