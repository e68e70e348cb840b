# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A bench on a network file system: its configuration comes late, and one scheduler runs in all."""

import os

import frappe
import pytest
from frappe.utils import scheduler

from read_replica.jobs import network_mounts, schedulers
from read_replica.jobs.network_mounts import mount_of

from ..watch.test_job_findings import problems, tick
from .test_scheduled_runs import hourly

__all__ = ["hourly"]

# As Linux writes them: an NFS client's, a Docker container's and an AWS machine's with EFS.
NFS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
27 21 0:24 / /opt/erp rw,relatime shared:13 - nfs4 nas:/export/frappe rw,vers=4.2,rsize=1048576,hard,proto=tcp,\
timeo=600,retrans=2,sec=sys,clientaddr=10.0.0.5,local_lock=none,addr=10.0.0.9
28 27 0:31 / /opt/erp/frappe-bench/config rw - ext4 /dev/sdb1 rw
"""
DOCKER = """\
600 500 0:50 / / rw,relatime master:200 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/b,upperdir=/c
605 600 0:55 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
615 600 8:1 /var/lib/docker/volumes/sites/_data /opt/erp/frappe-bench/sites rw,relatime - ext4 /dev/sda1 rw
"""
DOCKER_NFS_VOLUME = """\
600 500 0:50 / / rw,relatime master:200 - overlay overlay rw,lowerdir=/a,upperdir=/c
616 600 0:60 / /opt/erp/frappe-bench/sites rw,relatime - nfs :/export/sites rw,vers=3,nolock,acregmax=30,\
addr=10.0.0.9
"""
OTHERS = """\
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:1 / /mnt/with\\040space rw shared:1 master:2 - cifs //server/share rw,vers=3.1.1,cache=strict
3 1 0:2 / /mnt/ceph rw - ceph 10.0.0.1:6789:/ rw,name=admin
4 1 0:3 / /mnt/gluster rw - fuse.glusterfs gl:/vol rw,user_id=0
5 1 0:4 / /mnt/lxcfs rw - fuse.lxcfs lxcfs rw
6 1 0:5 / /mnt/over rw - ext4 /dev/sdc1 rw
7 1 0:6 / /mnt/over rw - nfs4 nas:/over rw,noac
8 1 0:7 / /mnt/fuseblk rw - fuseblk /dev/sdd1 rw
nonsense
9 1 0:8
"""


def test_a_folder_stands_on_the_longest_mount_that_it_is_under():
	mount = mount_of("/opt/erp/frappe-bench/sites", NFS)
	assert (mount.point, mount.kind, mount.source) == ("/opt/erp", "nfs4", "nas:/export/frappe")
	assert mount.is_network and mount.locks_are_shared and mount.attribute_cache_seconds == 60
	assert not mount_of("/opt/erp/frappe-bench/config", NFS).is_network
	assert mount_of("/opt/erps", NFS).point == "/"
	assert mount_of("/opt/erp", NFS).is_network


def test_a_volume_of_a_container_is_found():
	assert mount_of("/opt/erp/frappe-bench/sites", DOCKER).kind == "ext4"
	assert not mount_of("/opt/erp/frappe-bench", DOCKER).is_network
	mount = mount_of("/opt/erp/frappe-bench/sites/a.test", DOCKER_NFS_VOLUME)
	assert mount.is_network and not mount.locks_are_shared and mount.attribute_cache_seconds == 30


@pytest.mark.parametrize(
	("path", "is_network", "seconds"),
	[
		("/mnt/with space/a", True, None),
		("/mnt/ceph", True, None),
		("/mnt/gluster/x", True, None),
		("/mnt/lxcfs", False, None),
		("/mnt/over/x", True, 0),
		("/mnt/fuseblk", False, None),
		("/srv", False, None),
	],
)
def test_each_kind_of_file_system_is_known_for_what_it_is(path, is_network, seconds):
	mount = mount_of(path, OTHERS)
	assert (mount.is_network, mount.attribute_cache_seconds) == (is_network, seconds)


def test_this_machine_says_what_a_folder_stands_on(tmp_path):
	with open("/proc/self/mountinfo") as file:
		text = file.read()
	mount = mount_of(str(tmp_path), text)
	assert os.path.ismount(mount.point) or mount.point == "/"
	assert os.stat(mount.point).st_dev == os.stat(tmp_path).st_dev
	assert mount_of("/proc/self", text).kind == "proc"
	assert network_mounts.of_folder("/proc/self") is None


def test_an_empty_or_unreadable_text_means_that_nothing_is_known():
	assert mount_of("/home", "") is None
	assert mount_of("/home", "nonsense\n9 1 0:8\n") is None


def test_a_bench_on_a_network_file_system_is_told_what_follows(hourly, monkeypatch):
	assert "network file system" not in problems()
	mount = mount_of("/opt/erp", NFS)
	monkeypatch.setattr(network_mounts, "of_folder", lambda path: mount)
	said = problems()
	assert "nfs4, nas:/export/frappe" in said and "arrives here up to 60 s later" in said
	assert ("one scheduler runs" in said) is schedulers.locks_a_file()
	mount = mount._replace(options=frozenset({"nolock", "actimeo=3"}))
	said = problems()
	assert "one scheduler runs" not in said and "up to 3 s later" in said


def test_a_server_whose_scheduler_one_on_another_host_keeps_from_running_is_told_so(hourly, monkeypatch):
	if not hasattr(scheduler, "is_schduler_process_running"):
		pytest.skip("core of this version cannot be asked for the lock")
	from filelock import FileLock

	monkeypatch.setenv("FRAPPE_BENCH_ROOT", str(hourly.path.parent))
	tick(monkeypatch, "secondary")
	frappe.db.sql("update `tabJob Server` set host = 'host-b' where server_id = 'secondary'")
	frappe.db.commit()
	monkeypatch.setenv("SERVER_ID", "primary")
	config = hourly.path.parent / "config"
	with FileLock(str(config / "scheduler_process")):
		assert "Another host holds the lock" not in problems(), "the folder is this host's own"
		monkeypatch.setattr(network_mounts, "of_folder", lambda path: mount_of("/opt/erp", NFS))
		said = problems()
		assert f"Another host holds the lock {config}/scheduler_process" in said
		assert "no scheduler of server 'primary' run beside the one on host-b" in said
	assert "Another host holds the lock" not in problems()


def test_core_locks_a_file_as_its_version_does():
	assert schedulers.locks_a_file() is not frappe.__version__.startswith("14")
