# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""Checks the address at which one server of a site lets the others in."""

import ipaddress
import socket

REASON = (
	"Who can write to the site's Redis runs code on all of its servers, as Frappe keeps Python objects there,"
	" and passwords are sent to it as they are."
)


def checked(text: str) -> str:
	"""Returns an address of the local network, as Redis takes it.

	:raises ValueError: if it is none: public, all addresses at once, a name, or one that only this machine reaches
	"""
	try:
		given = ipaddress.ip_address(text.strip().strip("[]"))
	except ValueError as error:
		raise ValueError(
			f"{text} is no IP address. Give the one that this server has in its local network, such as 10.0.0.2."
		) from error
	# ::ffff:8.8.8.8 is 8.8.8.8.
	address = getattr(given, "ipv4_mapped", None) or given
	if address.is_unspecified or address.is_multicast:
		raise ValueError(f"{address} stands for many addresses, public ones as well. {REASON}")
	if address.is_loopback or address.is_link_local:
		raise ValueError(
			f"The second server cannot reach this one at {address}."
			" Give the address that this server has in its local network."
		)
	if address.is_global:
		raise ValueError(
			f"{address} is a public address. {REASON} Use one of a local network, or of a VPN between the servers."
		)
	return str(address)


def check_is_of_this_machine(address: str) -> None:
	"""Refuse an address to which a server that is told to listen there could not bind, and so would not start.

	:raises ValueError: if this machine does not have it
	"""
	family = socket.AF_INET6 if ":" in address else socket.AF_INET
	try:
		with socket.socket(family, socket.SOCK_STREAM) as probe:
			probe.bind((address, 0))
	except OSError as error:
		raise ValueError(
			f"{address} is no address of this machine now ({error.strerror}); Redis would not start with it."
			" See `ip address`."
		) from error


def in_url(address: str) -> str:
	"""Returns an address as it stands in a URL."""
	return f"[{address}]" if ":" in address else address


def is_local(host: str | None) -> bool:
	"""Whether a host, as it stands in a configuration, is on each server another one: the server itself."""
	if not host or host.lower() == "localhost" or host.startswith("/"):
		return True
	try:
		return ipaddress.ip_address(host).is_loopback
	except ValueError:
		return False
