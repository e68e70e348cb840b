# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the doctor knows of the Redis servers of a site: each is asked once, as the site does and as a stranger would."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.exceptions import RedisError

from read_replica.deploy.asked_once import AskedOnce
from read_replica.deploy.doctor import Skipped
from read_replica.engine.sentence import Sentence, sentence_of

SECONDS_TO_ANSWER = 5
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost", None)


@dataclass(frozen=True)
class RedisState:
	"""What a Redis server says.

	:param config: its settings; empty if this user may not see them
	:param is_open: whether it answers a client that names no password
	"""

	info: dict[str, Any]
	config: dict[str, str]
	is_open: bool


class RedisServer(AskedOnce):
	"""A Redis server of a site.

	:param name: the key of the configuration that has its address
	:param url: such as `redis://:PASSWORD@10.0.0.2:13000`
	"""

	def __init__(self, name: str, url: str) -> None:
		super().__init__()
		self.name = name
		self._url = url
		self.host = _host_of(url)

	@property
	def is_local(self) -> bool:
		"""Whether it is asked over this machine's loopback or a socket."""
		return self.host in LOCAL_HOSTS

	@property
	def state(self) -> RedisState:
		"""What it says.

		:raises Skipped: if it does not answer
		"""
		return self._once("state", self._state)

	@property
	def error(self) -> str | None:
		"""Why it cannot be asked; None if it can."""
		try:
			self.state
		except Skipped as reason:
			return sentence_of(reason)
		return None

	def _ask(self, ask: Callable[[redis.Redis], Any]) -> Any:
		if not self._url:
			said = Sentence("it is not set in common_site_config.json")
			return Skipped(Sentence("{0} cannot be asked: {1}", self.name, said))
		try:
			client = _client(self._url)
		except ValueError:
			# Which says what it could not read, and that may be a part of the password.
			said = Sentence(
				"its address cannot be read; write {0} in a password as {1}", "#, / and ?", "%23, %2F and %3F"
			)
			return Skipped(Sentence("{0} cannot be asked: {1}", self.name, said))
		try:
			with client:
				return ask(client)
		except (RedisError, OSError, ValueError) as error:
			said = f"{type(error).__name__}: {error}"
			return Skipped(Sentence("{0} cannot be asked: {1}", self.name, said))

	def _state(self, client: redis.Redis) -> RedisState:
		info, config = client.info(), {}
		# Managed servers have renamed or forbidden it.
		with suppress(RedisError):
			config = client.config_get("*")
		return RedisState(info, config, self._is_open())

	def _is_open(self) -> bool:
		"""Asks without a password: with an aclfile, `requirepass` is shown and does not count."""
		address = urlsplit(self._url)
		if not address.hostname:
			return False
		try:
			with _client(address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()) as stranger:
				return bool(stranger.ping())
		except RedisError:
			return False


def _host_of(url: str) -> str | None:
	try:
		return urlsplit(url).hostname
	except ValueError:
		# Such as an IPv6 address without its closing bracket; `state` says so.
		return ""


def _client(url: str) -> redis.Redis:
	return redis.Redis.from_url(
		url,
		socket_connect_timeout=SECONDS_TO_ANSWER,
		socket_timeout=SECONDS_TO_ANSWER,
		decode_responses=True,
	)


class Redises:
	"""The Redis servers of a site, by the keys of its configuration."""

	def __init__(self, conf: Mapping[str, Any]) -> None:
		# A key that is missing is told as an address that leads nowhere.
		self.cache = RedisServer("redis_cache", conf.get("redis_cache") or "")
		self.queue = RedisServer("redis_queue", conf.get("redis_queue") or "")
		self.all = [self.cache, self.queue]
