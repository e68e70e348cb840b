# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""A replica with `tls` is read over TLS and after a look at its certificate, or not at all; `status` says why."""

from collections.abc import Iterator
from pathlib import Path

import frappe
import pytest
import trustme

from read_replica import read_only
from read_replica.engine.errors import ReplicaUnavailable
from read_replica.watch.status import replicas_of
from read_replica.watch.tables import state_of
from support.servers import MariaDB

from ..conftest import connected, full_form

# A new replica applies all that the primary has ever committed, the tests before these included.
SECONDS_TO_BEGIN = 180

# Some clients look at the name of a server on 127.0.0.1 or localhost less closely.
NOT_LOCAL = "127.0.0.2"

USER, PASSWORD = "by_certificate", "Us3d-with-a-certificate"


@read_only(on_unavailable="error")
def cipher() -> str:
	return frappe.db.sql("show session status like 'Ssl_cipher'")[0][1]


def state() -> str:
	"""What `status` says of the only replica; and that it is read or not as that says."""
	from read_replica.site import router_of_site

	with connected():
		router = router_of_site()
		router.health.check_now()
		said = state_of(replicas_of(router)[0])
		if said.startswith("up"):
			return f"up, {'encrypted' if cipher() else 'plain'}"
		with pytest.raises(ReplicaUnavailable):
			cipher()
		return said


@pytest.fixture
def with_tls(configured, servers):
	"""Configures the first replica with this TLS, and says what becomes of it."""
	[first, _] = full_form(servers)["replicas"]

	def configure(tls, **changes) -> str:
		configured.configure(read_replica={"replicas": [first | {"tls": tls} | changes]})
		return state()

	return configure


@pytest.fixture
def other_ca(tmp_path: Path) -> str:
	path = tmp_path / "other.pem"
	trustme.CA().cert_pem.write_to_path(path)
	return str(path)


@pytest.fixture
def without_tls(tmp_path: Path, servers) -> Iterator[MariaDB]:
	"""A replica that offers no TLS."""
	folder = tmp_path / "plain"
	folder.mkdir()
	server = MariaDB(folder, 9, "--skip-ssl")
	server.start()
	try:
		server.follow(servers.primary)
		server.catch_up(servers.primary, SECONDS_TO_BEGIN)
		yield server
	finally:
		server.kill()


@pytest.fixture
def elsewhere(tmp_path: Path, servers) -> Iterator[tuple[MariaDB, str]]:
	"""A replica whose certificate is good, and of another host; and the authority that has signed it."""
	folder = tmp_path / "elsewhere"
	folder.mkdir()
	authority = trustme.CA()
	certificate = authority.issue_cert("db.example.com")
	paths = {name: folder / f"{name}.pem" for name in ("ca", "cert", "key")}
	authority.cert_pem.write_to_path(paths["ca"])
	certificate.cert_chain_pems[0].write_to_path(paths["cert"])
	certificate.private_key_pem.write_to_path(paths["key"])
	tls = [f"--ssl-{name}={path}" for name, path in paths.items()]
	server = MariaDB(folder, 9, *tls, f"--bind-address=127.0.0.1,{NOT_LOCAL}")
	server.start()
	try:
		server.follow(servers.primary)
		server.catch_up(servers.primary, SECONDS_TO_BEGIN)
		yield server, str(paths["ca"])
	finally:
		server.kill()


def test_the_authority_alone_is_enough(with_tls, servers):
	assert with_tls({"ca": servers.tls["ca"]}) == "up, encrypted"


def test_a_certificate_of_another_authority_is_not_accepted(with_tls, other_ca):
	assert with_tls({"ca": other_ca}) == "down: TLS: certificate not accepted"
	assert with_tls({"ca": other_ca, "check_hostname": False}) == "down: TLS: certificate not accepted"


def test_a_server_without_tls_is_not_read(with_tls, without_tls, servers):
	there = {"port": without_tls.port}
	assert with_tls({"ca": servers.tls["ca"]}, **there) == "down: TLS: the server offers none"
	not_the_name = {"ca": servers.tls["ca"], "check_hostname": False}
	assert with_tls(not_the_name, **there) == "down: TLS: the server offers none"
	assert with_tls(False, **there) == "up, plain"


@pytest.mark.parametrize("host", ["127.0.0.1", NOT_LOCAL])
def test_a_certificate_of_another_host_is_accepted_only_where_the_name_does_not_matter(
	with_tls, elsewhere, host
):
	server, ca = elsewhere
	there = {"host": host, "port": server.port}
	assert with_tls({"ca": ca}, **there) == "down: TLS: certificate not accepted"
	assert with_tls({"ca": ca, "check_hostname": True}, **there) == "down: TLS: certificate not accepted"
	assert with_tls({"ca": ca, "check_hostname": False}, **there) == "up, encrypted"


def test_a_client_shows_its_certificate_to_a_server_that_wants_one(with_tls, servers):
	database = frappe.get_site_config(site_path="routed.test").db_name
	servers.primary.query(f"CREATE OR REPLACE USER {USER} IDENTIFIED BY '{PASSWORD}' REQUIRE X509")
	servers.primary.query(f"GRANT SELECT ON `{database}`.* TO {USER}")
	servers.catch_up()
	login = {"user": USER, "password": PASSWORD}
	try:
		assert with_tls(servers.tls, **login) == "up, encrypted"
		assert with_tls({"ca": servers.tls["ca"]}, **login).startswith("down: ")
	finally:
		servers.primary.query(f"DROP USER {USER}")


def test_no_tls_means_none(with_tls):
	assert with_tls(False) == "up, plain"
