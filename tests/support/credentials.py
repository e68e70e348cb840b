# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What programs send in the header Authorization: an API key and its secret, or an OAuth bearer token.

To be called with a connection to the site. The first secret lets core write a key into the site's configuration.
"""

import base64
import secrets

import frappe
from frappe.core.doctype.user.user import generate_keys
from frappe.utils.password import get_encryption_key, update_password

from support.bench import ADMIN_PASSWORD

SCOPES = "all openid"
SECONDS_A_TOKEN_HOLDS = 24 * 3600


def make_user(email: str) -> str:
	"""Make a System Manager, unless there is one, with ADMIN_PASSWORD for a browser; returns the name."""
	if not frappe.db.exists("User", email):
		user = {"doctype": "User", "email": email, "first_name": "Of the tests", "send_welcome_email": 0}
		frappe.get_doc(user | {"roles": [{"role": "System Manager"}]}).insert()
		update_password(email, ADMIN_PASSWORD)
	frappe.db.commit()
	return email


def _key_and_secret(user: str) -> str:
	frappe.set_user("Administrator")
	# Made when it is first asked for, and written into the site's configuration.
	get_encryption_key()
	secret = generate_keys(user)["api_secret"]
	key = frappe.db.get_value("User", user, "api_key")
	frappe.db.commit()
	return f"{key}:{secret}"


def token(user: str) -> dict[str, str]:
	"""An API key and its secret, as most programs send them. Replaces the user's other ones."""
	return {"Authorization": f"token {_key_and_secret(user)}"}


def basic(user: str) -> dict[str, str]:
	"""The same, as programs send them that know no other way than HTTP's."""
	return {"Authorization": f"Basic {base64.b64encode(_key_and_secret(user).encode()).decode()}"}


def bearer(user: str) -> dict[str, str]:
	"""An access token, as an OAuth client has it once the user has let it in."""
	frappe.set_user("Administrator")
	client = {"doctype": "OAuth Client", "app_name": f"of {user}", "scopes": SCOPES}
	client = frappe.get_doc(client | {"default_redirect_uri": "http://127.0.0.1/"}).insert()
	access_token = secrets.token_hex(15)
	row = {"doctype": "OAuth Bearer Token", "client": client.name, "user": user, "scopes": SCOPES}
	row |= {"access_token": access_token, "refresh_token": secrets.token_hex(15), "status": "Active"}
	frappe.get_doc(row | {"expires_in": SECONDS_A_TOKEN_HOLDS}).insert()
	frappe.db.commit()
	return {"Authorization": f"Bearer {access_token}"}


WAYS = (token, basic, bearer)
