# Copyright (c) 2026, read_replica contributors
# For license information, please see license.txt

"""What a statement does, as far as its words tell."""

import pytest

from read_replica.engine import dialect


@pytest.mark.parametrize(
	("statement", "reads"),
	[
		("SELECT 1", True),
		("select 1", True),
		("  /* a comment */ (SELECT 1) UNION SELECT 2", True),
		("WITH x AS (SELECT 1) SELECT * FROM x", True),
		("SELECT * FROM stock FOR UPDATE", True),
		("INSERT INTO stock SELECT * FROM other", False),
		("START TRANSACTION", False),
		("COMMIT AND CHAIN", False),
		("SHOW TABLES", False),
		("", False),
	],
)
def test_a_statement_that_reads_is_known_by_its_first_word(statement, reads):
	assert dialect.reads(statement) is reads


@pytest.mark.parametrize(
	("statement", "target"),
	[
		("INSERT INTO `tabSales Invoice` (`name`) VALUES (%s)", ("tabSales Invoice", "")),
		("update `tabUser` set `last_active`=%s where name=%s", ("tabUser", "last_active")),
		("DELETE FROM `tabToDo` WHERE name=%s", ("tabToDo", "")),
		("/* a comment */ REPLACE INTO tabSeries VALUES (1)", ("tabSeries", "")),
		("select nextval(`error_log_id_seq`)", ("error_log_id_seq", "")),
		("SELECT name FROM `tabBin` WHERE 1 = 1 FOR UPDATE", ("tabBin", "")),
		("ALTER TABLE tabToDo ADD COLUMN x INT", ("tabToDo", "")),
		("SELECT name FROM tabToDo LOCK IN SHARE MODE", None),
		("SELECT 'insert into tabToDo'", None),
		("savepoint here", None),
	],
)
def test_what_a_statement_writes_is_known_by_its_words(statement, target):
	assert dialect.target_of(statement) == target


@pytest.mark.parametrize(
	"statement",
	[
		"SELECT * FROM stock WHERE item = 'bolt' FOR  UPDATE",
		"select qty from stock for update skip locked",
		"SELECT qty FROM stock LOCK IN SHARE MODE",
		"Select NextVal(numbers)",
		"SELECT GET_LOCK('orders', 1)",
		"(SELECT 1) UNION SELECT qty FROM stock FOR UPDATE",
		"/* report */ SELECT qty FROM stock FOR UPDATE",
		"SAVEPOINT here",
		"REPLACE INTO stock VALUES ('bolt', 1)",
		"WITH new AS (SELECT 1) UPDATE stock SET qty = 1",
	],
)
def test_a_statement_that_writes_or_locks_opens_a_transaction(statement):
	assert dialect.opens_transaction(statement)


@pytest.mark.parametrize(
	"statement",
	[
		"SELECT qty, updated, shares FROM stock",
		"SELECT 1",
		"select qty from stock where item = 'bolt'",
		"SHOW TABLES",
	],
)
def test_a_statement_that_only_reads_opens_none(statement):
	assert not dialect.opens_transaction(statement)
