# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What each app server of a site notes of itself, so that every one can be compared with the others.

A server is known by its host name and the folder of its bench. It notes facts and no secrets: keys and values of a
configuration are kept as digests, keyed with the site's encryption key, so that no weak password can be guessed.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Keys of site_config.json that may be different on each server.
OF_ITS_OWN = frozenset(
	{
		"db_host",
		"db_port",
		"db_socket",
		"host_name",
		"developer_mode",
		"disable_scheduler",
		"pause_scheduler",
		"maintenance_mode",
		"installed_apps",
	}
)

LENGTH_OF_A_DIGEST = 16

# The id of a server whose processes have no SERVER_ID, as `jobs.rules` has it, which imports frappe.
DEFAULT_SERVER = "primary"


@dataclass(frozen=True)
class ServerNote:
	"""What one server has noted of itself. A fact that could not be found is missing.

	:param noted_at: by the primary's clock
	"""

	host: str
	bench: str
	noted_at: datetime
	facts: Mapping[str, Any]

	@property
	def name(self) -> str:
		"""How the server is called in a sentence."""
		return f"{self.host} ({self.bench})"


def digest(value: Any, key: str) -> str:
	"""Returns a short digest of a value, keyed with a secret that only the site's servers have."""
	text = json.dumps(value, sort_keys=True, default=str)
	return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:LENGTH_OF_A_DIGEST]


def digest_of_key(key: str) -> str:
	"""Returns a digest of an encryption key, which is random and long."""
	return digest("the encryption key of a site", key)


def digests_of_config(config: Mapping[str, Any], key: str) -> dict[str, str]:
	"""Returns a digest of each value of a site_config.json that all servers of the site should have.

	:param key: the site's encryption key, which is left out itself
	"""
	without = OF_ITS_OWN | {"encryption_key"}
	return {name: digest(value, key) for name, value in sorted(config.items()) if name not in without}
