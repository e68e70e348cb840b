# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""The errors that the engine raises. Each message says what happened, where, and what to do."""

from read_replica.engine.sentence import Sentence


class ReadReplicaError(Exception):
	"""The base class of all errors that this app raises by itself."""

	http_status_code = 500


class ConfigurationError(ReadReplicaError):
	"""Raised for a key of site_config.json whose value cannot be used.

	Its text is English; `sentence_of` returns it for the desk, which says it in its user's language.

	:param key: the key, such as `read_replica.replicas[0].host`
	:param problem: what is wrong with its value
	:param fix: what to write instead
	"""

	def __init__(self, key: str, problem: str, fix: str):
		self.key = key
		super().__init__(Sentence("{0}: {1}. {2}.", key, problem, fix))


class WriteInReadOnlyScope(ReadReplicaError):
	"""Raised when a method that was declared `on_write="error"` tries to write.

	:param target: the table, as far as it can be named
	"""

	def __init__(self, method: str, target: str):
		self.method = method
		self.target = target
		super().__init__(
			f"{method} is declared read-only with on_write='error', but it wrote to {target}."
			" Remove the write, wrap it in read_replica.primary(), or drop on_write='error'."
		)


class ReplicaUnavailable(ReadReplicaError):
	"""Raised when no replica can answer a call that was declared `on_unavailable="error"`.

	:param replicas: the names of those that were asked
	"""

	# 503 tells browsers and API clients to try again later, which is the right thing to do.
	http_status_code = 503

	def __init__(self, method: str, replicas: list[str]):
		self.method = method
		# Not part of the message: any visitor may see that, and a replica's name may be its address.
		self.replicas = replicas
		super().__init__(
			f"{method} may only run on a replica (on_unavailable='error'), and none is available."
			" Try again later, or see `bench --site SITE read-replica status`."
		)


class ReplicaLost(ReadReplicaError):
	"""Raised when a replica is lost in the middle of an answer that no other server can continue.

	It had returned some rows already, or earlier statements had left something on its connection (a variable, a
	temporary table) that the answer needs.
	"""

	# As for ReplicaUnavailable: the caller may ask again.
	http_status_code = 503

	def __init__(self, method: str, replica: str):
		self.method = method
		# Not part of the message, as in ReplicaUnavailable.
		self.replica = replica
		super().__init__(
			f"The connection to a replica was lost while {method} was reading from it, and another server"
			" cannot go on where it stopped. Nothing was changed. Please try again."
		)


class ScopeError(ReadReplicaError):
	"""Raised when a scope's database object is used in a way that no server can answer correctly."""
