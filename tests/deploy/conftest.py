# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

from collections.abc import Iterator

import pytest

from support.servers import Cluster, cluster


@pytest.fixture(scope="session")
def servers() -> Iterator[Cluster]:
	with cluster(replicas=1) as running:
		yield running
