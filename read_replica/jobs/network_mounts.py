# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Tells whether a folder of the bench is on a network file system, and what that means for this app."""

import os
import re
from typing import NamedTuple

import frappe
from frappe.utils import get_bench_path

from read_replica.engine.sentence import Sentence

# Types of network file systems. Any of FUSE (sshfs, GlusterFS, S3) counts too, except those in LOCAL_FUSE.
NETWORK = {
	"nfs",
	"nfs4",
	"cifs",
	"smb3",
	"smbfs",
	"ceph",
	"glusterfs",
	"gfs2",
	"ocfs2",
	"lustre",
	"gpfs",
	"9p",
	"afs",
}
NETWORK |= {"beegfs", "fhgfs", "orangefs", "virtiofs"}
LOCAL_FUSE = {"fuse.lxcfs", "fuse.fuse-overlayfs", "fuse.grpcfuse", "fuse.ntfs-3g"}

# NFS's default for acregmax.
DEFAULT_ATTRIBUTE_CACHE_SECONDS = 60

# Mount options by which file locks are known to this host only.
LOCKS_STAY_HERE = {"nolock", "local_lock=all", "local_lock=flock", "nobrl"}

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
	"""A mounted file system.

	:param point: the folder where it is mounted
	:param kind: its type, such as nfs4
	:param source: the device or the server's path
	:param options: the options of the mount and of the file system
	"""

	point: str
	kind: str
	source: str
	options: frozenset[str]

	@property
	def is_network(self) -> bool:
		"""Whether it is a network file system."""
		return self.kind in NETWORK or (self.kind.startswith("fuse.") and self.kind not in LOCAL_FUSE)

	@property
	def locks_are_shared(self) -> bool:
		"""Whether file locks are known to all hosts that mount it."""
		return not self.options & LOCKS_STAY_HERE

	@property
	def attribute_cache_seconds(self) -> float | None:
		"""The longest time in seconds for which this host caches what it knows of a file; None: not known."""
		if not self.kind.startswith("nfs"):
			return None
		values = dict(option.split("=", 1) for option in self.options if "=" in option)
		if "noac" in self.options:
			return 0
		found = values.get("acregmax") or values.get("actimeo") or ""
		return float(found) if found.isdigit() else DEFAULT_ATTRIBUTE_CACHE_SECONDS


def mount_of(path: str, mountinfo: str) -> Mount | None:
	"""Returns the mount that a path is on; None if there is none.

	:param mountinfo: the text of Linux's /proc/self/mountinfo, see proc(5)
	"""
	best = None
	for line in mountinfo.splitlines():
		mount = _parsed(line)
		# Of two mounts on the same folder, the later one hides the earlier.
		if mount and _is_under(path, mount.point) and (not best or len(mount.point) >= len(best.point)):
			best = mount
	return best


def _parsed(line: str) -> Mount | None:
	before, separator, after = line.partition(" - ")
	fields, of_file_system = before.split(" "), after.split(" ")
	if not separator or len(fields) < 6 or len(of_file_system) < 2:
		return None
	options = set(fields[5].split(","))
	if len(of_file_system) > 2:
		options |= set(of_file_system[2].split(","))
	point, source = _unescaped(fields[4]), _unescaped(of_file_system[1])
	return Mount(point, of_file_system[0], source, frozenset(options))


def _unescaped(text: str) -> str:
	return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)


def _is_under(path: str, point: str) -> bool:
	return path == point or path.startswith(point.rstrip("/") + "/")


def of_folder(path: str) -> Mount | None:
	"""Returns the network file system that a folder is on; None if it is on none, or this is not known."""
	try:
		with open("/proc/self/mountinfo", errors="replace") as file:
			mount = mount_of(os.path.realpath(path), file.read())
	except OSError:
		return None
	return mount if mount and mount.is_network else None


def problems(scheduler_locks_a_file: bool) -> list[str]:
	"""Returns what is wrong with this bench's folders being on a network file system, in sentences.

	:param scheduler_locks_a_file: whether core's scheduler of this version does
	"""
	sites = of_folder(frappe.local.sites_path)
	config = of_folder(os.path.join(get_bench_path(), "config"))
	sentences = []
	if sites:
		sentences.append(about_sites(os.path.abspath(frappe.local.sites_path), sites))
	if config and scheduler_locks_a_file and config.locks_are_shared:
		sentences.append(about_config(config))
	return sentences


def about_sites(path: str, mount: Mount) -> Sentence:
	"""Returns the sentence that changes of the configuration arrive late."""
	seconds = mount.attribute_cache_seconds
	late = Sentence("some time") if seconds is None else Sentence("up to {0} s", f"{seconds:g}")
	said = Sentence(
		"{0} is on a network file system ({1}): a change of site_config.json or common_site_config.json on another"
		" server arrives here {2} later.",
		path,
		f"{mount.kind}, {mount.source}",
		late,
	)
	if not seconds or seconds <= 3:
		return said
	return Sentence.joined(" ", [said, Sentence("A mount with actimeo=3 makes that 3 s.")])


def about_config(mount: Mount) -> Sentence:
	"""Returns the sentence that only one of the schedulers that share this folder runs."""
	return Sentence(
		"The bench folder is on a network file system ({0}), and Frappe's scheduler holds a lock on its file"
		" config/scheduler_process: of all servers that share it, one scheduler runs, and any other ends without a word."
		" Where servers have no queues of their own, each needs its own: give each server a config folder on its own"
		" disk, and share only sites.",
		f"{mount.kind}, {mount.source}",
	)
