# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The file that goes from the first server to the second keeps its secrets, and is taken as a whole or not at all."""

import json

import pytest

from read_replica.deploy import offer
from read_replica.deploy.offer import Offer

OFFER = Offer(
	site="erp.test",
	second="secondary",
	other_queues=["primary"],
	queue="shared",
	has_scheduler=False,
	keys={"redis_cache": "redis://:secret-1@10.0.0.2:13000"},
	encryption_key="secret-2",
	db_name="_1",
	database_server="db:3306:1",
	frappe="15.0.0",
)


def test_an_offer_is_read_as_it_was_written_and_by_its_owner_alone(tmp_path):
	path = tmp_path / "offer.json"
	change = offer.change(path, OFFER)
	change.write()
	assert offer.read(path) == OFFER and path.stat().st_mode & 0o777 == 0o600
	assert "secret" not in change.diff() and "secret" not in repr(OFFER)
	assert not offer.change(path, OFFER)


def test_a_file_that_others_may_read_gets_no_secrets(tmp_path):
	path = tmp_path / "offer.json"
	path.write_text("{}")
	path.chmod(0o644)
	with pytest.raises(PermissionError, match="chmod 600"):
		offer.change(path, OFFER)
	assert path.read_text() == "{}"


@pytest.mark.parametrize("change", [{"format": 2}, {"format": None}, {"more": 1}, {"site": None}])
def test_an_offer_of_another_version_is_refused_and_says_how_to_get_one(tmp_path, change):
	path = tmp_path / "offer.json"
	offer.change(path, OFFER).write()
	content = json.loads(path.read_text()) | change
	if content["site"] is None:
		del content["site"]
	path.write_text(json.dumps(content))
	with pytest.raises(ValueError, match="--offer FILE"):
		offer.read(path)


@pytest.mark.parametrize("text", ["", "[]", "no json"])
def test_what_is_no_offer_is_refused(tmp_path, text):
	path = tmp_path / "offer.json"
	path.write_text(text)
	with pytest.raises(ValueError, match=r"offer\.json is no"):
		offer.read(path)
