# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A web process that reads through Frappe's caches, mostly on late replicas, and writes what is cached.

Run as a program: it serves requests at random, prints what it has counted, and then, for each line
that it is sent, what its caches show of everything.
"""

import fcntl
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import frappe
from frappe.model.utils import user_settings

from read_replica import read_only, routing
from support.frappe_request import connected

TODOS = tuple(f"cached {number}" for number in range(4))
USERS = tuple(f"cached{number}@example.com" for number in range(3))
ROLES = ("Report Manager", "Newsletter Manager")
LAST_SAVED = "last_saved.json"

# One request in so many writes.
READS_PER_WRITE = 4


def make_things() -> None:
	"""Make the documents and users that the processes work on, and commit them."""
	for user in USERS:
		row = {"doctype": "User", "email": user, "first_name": "Cached", "send_welcome_email": 0}
		frappe.get_doc(row).insert()
	for name in TODOS:
		todo = frappe.get_doc({"doctype": "ToDo", "description": name})
		todo.insert(set_name=name)
	frappe.db.commit()


# What is written, one at a time.


def write_document(rng: random.Random, value: str) -> None:
	todo = frappe.get_doc("ToDo", rng.choice(TODOS))
	todo.description = value
	todo.save()


def write_metadata(rng: random.Random, value: str) -> None:
	frappe.make_property_setter(
		{
			"doctype": "ToDo",
			"doctype_or_field": "DocType",
			"property": "max_attachments",
			"value": rng.randrange(1, 100),
			"property_type": "Int",
		}
	)


def write_roles(rng: random.Random, value: str) -> None:
	user, role = frappe.get_doc("User", rng.choice(USERS)), rng.choice(ROLES)
	change = user.remove_roles if role in [row.role for row in user.roles] else user.add_roles
	change(role)


def write_default(rng: random.Random, value: str) -> None:
	frappe.db.set_default("of_the_cache_checker", value)


def write_user_permission(rng: random.Random, value: str) -> None:
	user, role = rng.choice(USERS), rng.choice(ROLES)
	row = {"user": user, "allow": "Role", "for_value": role}
	if name := frappe.db.exists("User Permission", row):
		frappe.delete_doc("User Permission", name)
	else:
		frappe.get_doc({"doctype": "User Permission", **row}).insert()


def write_user_settings(rng: random.Random, value: str) -> None:
	user = rng.choice(USERS)
	frappe.set_user(user)
	save = read_only(consistency="eventual")(user_settings.save)
	save("ToDo", json.dumps({"last_view": value}))
	frappe.set_user("Administrator")
	saved = json.loads(Path(LAST_SAVED).read_text())
	Path(LAST_SAVED).write_text(json.dumps(saved | {user: value}))


def forget_settings(rng: random.Random, value: str) -> None:
	"""Redis may lose what it has; it was written back."""
	frappe.cache().delete_value("_user_settings")


WRITES: tuple[Callable, ...] = (
	write_document,
	write_metadata,
	write_roles,
	write_default,
	write_user_permission,
	write_user_settings,
	forget_settings,
)


# What is read, through the caches.


def documents() -> dict:
	return {name: frappe.get_cached_doc("ToDo", name).description for name in TODOS}


def values() -> dict:
	return {name: frappe.get_cached_value("ToDo", name, "description") for name in TODOS}


def metadata() -> int:
	return frappe.get_meta("ToDo").max_attachments


def roles() -> dict:
	return {user: sorted(frappe.get_roles(user)) for user in USERS}


def default() -> str:
	return frappe.db.get_default("of_the_cache_checker")


def user_permissions() -> dict:
	found = {user: frappe.permissions.get_user_permissions(user) for user in USERS}
	return {user: sorted(row["doc"] for row in rows.get("Role", ())) for user, rows in found.items()}


def settings() -> dict:
	found = {}
	for user in USERS:
		frappe.set_user(user)
		found[user] = json.loads(user_settings.get("ToDo")).get("last_view")
	frappe.set_user("Administrator")
	return found


READS: tuple[Callable, ...] = (documents, values, metadata, roles, default, user_permissions, settings)


def all_that_is_cached() -> dict:
	return {read.__name__: read() for read in READS}


@contextmanager
def alone(lock: Path, kind: int) -> Iterator[None]:
	"""Writes one at a time, and not while there are reads.

	Core has races of its own between a read and a write at the same time; here the replicas are to be met.
	"""
	with lock.open("w") as file:
		fcntl.flock(file, kind)
		yield


@read_only(consistency="eventual")
def read_on_a_replica(reads: list[Callable], todo: str, counts: Counter) -> str:
	"""Read through the caches; returns what the replica has in a row."""
	description = frappe.db.get_value("ToDo", todo, "description")
	for read in reads:
		read()
	counts["on a replica"] += routing.current() is not None
	return description


def serve(rng: random.Random, value: str, counts: Counter) -> None:
	if rng.randrange(READS_PER_WRITE) == 0:
		with alone(Path("lock"), fcntl.LOCK_EX), connected():
			# Some of what is written lets core clear all caches, with the settings that are nowhere else.
			user_settings.sync_user_settings()
			frappe.db.commit()
			write = rng.choice(WRITES)
			write(rng, value)
			frappe.db.commit()
		counts[write.__name__] += 1
		return
	reads = rng.sample(READS, 3)
	with alone(Path("lock"), fcntl.LOCK_SH), connected():
		todo = rng.choice(TODOS)
		seen = read_on_a_replica(reads, todo, counts)
		if rng.randrange(4) == 0:
			all_that_is_cached()
		counts["late"] += seen != frappe.db.get_value("ToDo", todo, "description")


def main(number: str, seed: str, requests: str) -> None:
	rng = random.Random(f"{seed} {number}")
	counts: Counter = Counter()
	for request in range(int(requests)):
		serve(rng, f"{number} {request}", counts)
	print(json.dumps(counts), flush=True)
	for _ in sys.stdin:
		with connected():
			print(json.dumps(all_that_is_cached()), flush=True)


if __name__ == "__main__":
	main(*sys.argv[1:])
