# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from collections.abc import Iterator

import pytest

from support.servers import Cluster, cluster

# As an operations team would have it; what the other tests leave out is slower.
AS_IT_SHOULD_BE = (
	"--binlog-format=ROW",
	"--sync-binlog=1",
	"--innodb-flush-log-at-trx-commit=1",
	"--relay-log-recovery=1",
	"--binlog-expire-logs-seconds=604800",
	"--log-bin-trust-function-creators=1",
)


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=1, options=AS_IT_SHOULD_BE) as running:
		yield running
