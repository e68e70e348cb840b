# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a user must be shown: the positions of what they have committed, kept until a replica has them.

Uses `shared` and `dialect`, and the host. Used by the router; the state of a request stands in engine/request.
Offers to others: session.Session and FOREVER.
"""
