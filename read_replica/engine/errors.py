# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What the engine raises. Each message says what happened, where, and what to do."""


class ReadReplicaError(Exception):
	"""Base of every error that this app raises by itself."""

	http_status_code = 500


class ConfigurationError(ReadReplicaError):
	"""A configuration key has a value that cannot be used."""

	def __init__(self, key: str, problem: str, fix: str):
		self.key = key
		super().__init__(f"{key}: {problem}. {fix}.")


class WriteInReadOnlyScope(ReadReplicaError):
	"""A method that was declared `on_write="error"` tried to write."""

	def __init__(self, method: str, target: str):
		self.method = method
		self.target = target
		super().__init__(
			f"{method} is declared read-only with on_write='error', but it wrote to {target}."
			" Remove the write, wrap it in read_replica.primary(), or drop on_write='error'."
		)


class ReplicaUnavailable(ReadReplicaError):
	"""No replica could answer a call that was declared `on_unavailable="error"`."""

	# Retrying later is the right answer to it, so browsers and API clients are told just that.
	http_status_code = 503

	def __init__(self, method: str, replicas: list[str]):
		self.method = method
		# Not in the message, which any visitor may get to see: a name may be an address.
		self.replicas = replicas
		super().__init__(
			f"{method} may only run on a replica (on_unavailable='error'), and none is available."
			" Try again later, or see `bench --site SITE read-replica status`."
		)


class ReplicaLost(ReadReplicaError):
	"""A replica was lost with a part of an answer given, or prepared on it, so that none can go on with it."""

	# Asking again is the right answer to it.
	http_status_code = 503

	def __init__(self, method: str, replica: str):
		self.method = method
		# Not in the message, as above.
		self.replica = replica
		super().__init__(
			f"The connection to a replica was lost while {method} was reading from it, and another server"
			" cannot go on where it stopped. Nothing was changed. Please try again."
		)


class ScopeError(ReadReplicaError):
	"""A database object of a scope was used in a way that no server could answer correctly."""
