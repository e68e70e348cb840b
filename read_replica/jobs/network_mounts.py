# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Whether a folder of the bench stands on a network file system, and what follows from that."""

import os
import re
from typing import NamedTuple

import frappe
from frappe.utils import get_bench_path

# Those of fuse (sshfs, GlusterFS, S3) are taken for such; these are not.
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

# What NFS takes where its options do not say so.
SECONDS_OF_ATTRIBUTES = 60

# Locks of files are this host's own with them.
LOCKS_STAY_HERE = {"nolock", "local_lock=all", "local_lock=flock", "nobrl"}

_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
	"""What a folder stands on.

	:param options: those of the mount and of its file system
	"""

	point: str
	kind: str
	source: str
	options: frozenset[str]

	@property
	def is_network(self) -> bool:
		return self.kind in NETWORK or (self.kind.startswith("fuse.") and self.kind not in LOCAL_FUSE)

	@property
	def locks_are_shared(self) -> bool:
		return not self.options & LOCKS_STAY_HERE

	@property
	def seconds_of_attributes(self) -> float | None:
		"""How long this host may take what it knows of a file for true; None: not known."""
		if not self.kind.startswith("nfs"):
			return None
		values = dict(option.split("=", 1) for option in self.options if "=" in option)
		if "noac" in self.options:
			return 0
		found = values.get("acregmax") or values.get("actimeo") or ""
		return float(found) if found.isdigit() else SECONDS_OF_ATTRIBUTES


def mount_of(path: str, mountinfo: str) -> Mount | None:
	"""The mount that a path stands on, in the text of Linux's /proc/self/mountinfo (see proc(5))."""
	best = None
	for line in mountinfo.splitlines():
		mount = _parsed(line)
		# Of two at the same place, the later one hides the earlier.
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
	"""The network file system that a folder stands on; None: it does not, or this is not known."""
	try:
		with open("/proc/self/mountinfo", errors="replace") as file:
			mount = mount_of(os.path.realpath(path), file.read())
	except OSError:
		return None
	return mount if mount and mount.is_network else None


def problems(scheduler_locks_a_file: bool) -> list[str]:
	"""What follows for this bench, in sentences."""
	sites = of_folder(frappe.local.sites_path)
	config = of_folder(os.path.join(get_bench_path(), "config"))
	sentences = []
	if sites:
		sentences.append(about_sites(os.path.abspath(frappe.local.sites_path), sites))
	if config and scheduler_locks_a_file and config.locks_are_shared:
		sentences.append(about_config(config))
	return sentences


def about_sites(path: str, mount: Mount) -> str:
	"""That changes of the configuration arrive late."""
	seconds = mount.seconds_of_attributes
	late = "some time" if seconds is None else f"up to {seconds:g} s"
	return (
		f"{path} is on a network file system ({mount.kind}, {mount.source}): a change of site_config.json or"
		f" common_site_config.json on another server arrives here {late} later."
		+ (" A mount with actimeo=3 makes that 3 s." if seconds and seconds > 3 else "")
	)


def about_config(mount: Mount) -> str:
	"""That only one scheduler runs."""
	return (
		f"The bench folder is on a network file system ({mount.kind}, {mount.source}), and Frappe's scheduler"
		" holds a lock on its file config/scheduler_process: of all servers that share it, one scheduler runs,"
		" and any other ends without a word. Where servers have no queues of their own, each needs its own:"
		" give each server a config folder on its own disk, and share only sites."
	)
