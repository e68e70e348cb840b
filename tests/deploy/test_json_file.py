# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A JSON file is changed in one step, keeps what else is in it, and its secrets are not shown."""

import json
import os
import threading

import pytest

from read_replica.deploy import json_file
from read_replica.deploy.replica_keys import keys_with_user

CONF = {"db_name": "_1", "zebra": {"ä": [1, None]}, "db_password": "old-secret", "apple": True}


@pytest.fixture
def file(tmp_path):
	path = tmp_path / "site_config.json"
	path.write_text(json.dumps(CONF, indent=1, ensure_ascii=False))
	path.chmod(0o640)
	return path


def test_other_keys_stay_in_their_order_and_the_files_mode_stays(file):
	json_file.changed(file, {"apple": False, "new": 1}).write()
	assert list(json.loads(file.read_text()).items()) == list((CONF | {"apple": False, "new": 1}).items())
	assert file.stat().st_mode & 0o777 == 0o640
	assert os.listdir(file.parent) == [file.name]


def test_what_is_so_already_changes_nothing(file):
	before = file.stat().st_mtime_ns
	assert not json_file.changed(file, {"apple": True, "db_name": "_1"})
	assert file.stat().st_mtime_ns == before


def test_the_diff_shows_each_change_and_no_value_that_may_be_a_secret(file):
	secrets = {
		"encryption_key": "old-secret",
		"metrics_token": "old-secret-ü",
		"pin": 4711,
		"api": ["old-secret"],
	}
	file.write_text(json.dumps(CONF | secrets | {"host": "10.0.0.2"}, indent=1, ensure_ascii=False))
	change = json_file.changed(
		file, {"db_password": "new-secret-ü", "apple": False, "host": "10.0.0.3", "pin": 815}
	)
	shown = change.diff()
	assert "secret" not in shown and "4711" not in shown and "815" not in shown
	for line in ('-"apple":true', '+"apple":false', '-"host":"10.0.0.2"', '+"host":"10.0.0.3"'):
		assert line in shown.replace(" ", "")
	for key in ("db_password", "pin"):
		assert f'- "{key}": "…"' in shown and f'+ "{key}": "… (new)"' in shown


def test_a_diff_says_which_row_of_a_list_has_a_new_password(file):
	rows = [{"name": "a", "password": "old-secret"}, {"name": "b", "password": "old-secret"}]
	file.write_text(json.dumps({"read_replica": {"replicas": rows}}))
	after = [rows[0], rows[1] | {"password": "new-secret"}]
	shown = json_file.changed(file, {"read_replica": {"replicas": after}}).diff()
	assert "secret" not in shown and shown.count("… (new)") == 1 and '"name": "b"' in shown


def test_a_file_that_somebody_else_has_changed_is_left_alone(file):
	change = json_file.changed(file, {"apple": False})
	file.write_text("{}")
	with pytest.raises(FileExistsError, match="somebody else"):
		change.write()
	assert file.read_text() == "{}"


def test_who_reads_meanwhile_never_reads_a_part_of_it(file):
	wrong, stop = [], threading.Event()

	def read():
		while not stop.is_set():
			try:
				json.loads(file.read_text())
			except ValueError as error:
				wrong.append(error)

	reader = threading.Thread(target=read)
	reader.start()
	for number in range(300):
		json_file.changed(file, {"apple": "x" * 20_000 + str(number)}).write()
	stop.set()
	reader.join()
	assert wrong == []


def test_a_symlink_stays_one(file):
	link = file.parent / "link.json"
	link.symlink_to(file)
	json_file.changed(link, {"apple": False}).write()
	assert link.is_symlink() and json.loads(file.read_text())["apple"] is False


FULL = {"replicas": [{"name": "a", "host": "10.0.0.2"}, {"host": "10.0.0.3", "weight": 2}], "max_lag": 5}


def test_the_user_is_written_in_the_form_that_the_site_has():
	def keys(conf, has_user_key=True, replicas=("a", "10.0.0.3")):
		return keys_with_user({"db_name": "_1"} | conf, "u", "p", replicas, has_user_key)

	login = {"user": "u", "password": "p"}
	assert keys({"read_replica": FULL}, replicas=("10.0.0.3",)) == {
		"read_replica": FULL | {"replicas": [FULL["replicas"][0], FULL["replicas"][1] | login]}
	}
	of_core = {"different_credentials_for_replica": 1, "replica_db_user": "u", "replica_db_password": "p"}
	assert keys({"replica_host": "h"}) == of_core | {"replica_db_name": "_1"}
	assert keys({"read_from_replica": 1}, has_user_key=False) == of_core | {"replica_db_name": "u"}
	assert keys({"use_slave_for_read_only": 1}) == {"slave_db_name": "u", "slave_db_password": "p"}
