# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Sticking: users are shown what they have committed, as its positions are kept until a replica has reached them.

Uses `shared` and `dialect`, and the host. Used by the router; the state of a request is in engine/request.
Offers to others: session.Session and FOREVER.
"""
