# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Makes logins for a site's database servers from its configuration."""

from collections.abc import Mapping
from typing import Any

from read_replica.deploy.servers import Login
from read_replica.engine.settings import Endpoint


def primary_login(conf: Mapping[str, Any]) -> Login:
	"""Returns the site's own login on the primary."""
	tls = {"ca": conf.get("db_ssl_ca"), "cert": conf.get("db_ssl_cert"), "key": conf.get("db_ssl_key")}
	return Login(
		name="primary",
		host=conf.get("db_host") or "127.0.0.1",
		port=int(conf.get("db_port") or 3306),
		user=conf.get("db_user") or conf["db_name"],
		password=conf["db_password"],
		tls={name: path for name, path in tls.items() if path} or None,
		socket=conf.get("db_socket"),
	)


def replica_login(endpoint: Endpoint, primary: Login) -> Login:
	"""Returns the login on a replica, as the site reads it."""
	tls = primary.tls if endpoint.tls is None else endpoint.tls
	return Login(
		name=endpoint.name,
		host=endpoint.host,
		port=endpoint.port,
		user=endpoint.user or primary.user,
		password=endpoint.password or primary.password,
		tls=dict(tls) if tls else None,
	)
