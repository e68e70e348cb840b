# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Chooses a server for read-only work and keeps the scope in which it is used.

Imports no frappe: it reaches the program it runs in through a `Host`, so that the same code
serves a Frappe site, the demo and the tests.
"""
