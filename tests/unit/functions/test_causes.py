"""What an operator is told of a failure, out of what Step Functions and Glue wrap around it."""

from __future__ import annotations

import json

import pytest

from functions.shared.causes import first_cause, input_to_start, limits_to_allow, named


def task(**run: str) -> dict[str, str]:
    return {"Error": "States.TaskFailed", "Cause": json.dumps(run)}


TIMED_OUT = ("JobTimeoutError", "the job ran out of time (capacity.timeout_minutes) and was stopped")
STOPPED = ("JobStoppedError", "the job was stopped by hand or by the service")
CAUGHT = [
    (task(JobRunState="TIMEOUT", ErrorMessage="ContractViolationError: x"), TIMED_OUT),
    (task(JobRunState="STOPPED"), STOPPED),
    (task(JobRunState="FAILED", ErrorMessage="LimitExceededError: 9 of 10"), ("LimitExceededError", "9 of 10")),
    (task(JobRunState="FAILED"), ("TaskFailed", '{"JobRunState": "FAILED"}')),
    ({"Error": "States.Timeout", "Cause": ""}, ("Timeout", "no cause was given")),
    ({"Error": "States.Timeout"}, ("Timeout", "no cause was given")),
    ({"Error": "States.Runtime", "Cause": "[1]"}, ("Runtime", "[1]")),
    # An error of a service has its own name, whatever its words name.
    (
        {"Error": "Glue.EntityNotFoundException", "Cause": "KeyError: no job"},
        ("Glue.EntityNotFoundException", "KeyError: no job"),
    ),
    ({"Error": "Glue.AWSGlueException", "Cause": "x" * 1001}, ("Glue.AWSGlueException", "x" * 1000)),
    ({"Error": "Glue.AWSGlueException"}, ("Glue.AWSGlueException", "no cause was given")),
    ({}, ("UnknownError", "no cause was given")),
]


@pytest.mark.parametrize(("caught", "told"), CAUGHT)
def test_the_first_cause_of_what_was_caught(caught, told):
    assert first_cause(caught) == told


NAMED = {
    "": ("TaskFailed", "no cause was given"),
    " \n ": ("TaskFailed", "no cause was given"),
    "\nKeyError: 'a'\n  at line 3": ("KeyError", "'a'"),
    "KeyError": ("KeyError", "KeyError"),
    "KeyError: ": ("KeyError", "KeyError:"),
    "it is a KeyError: 'a'": ("KeyError", "it is a KeyError: 'a'"),
    "Error Category: UNCLASSIFIED_ERROR; Failed Line Number: 31; KeyError: 'a'": ("KeyError", "'a'"),
    "Error Category: QUERY_ERROR; KeyError: 'a'": ("KeyError", "'a'"),
    "An error occurred while calling o93.load. Boom": ("TaskFailed", "An error occurred while calling o93.load. Boom"),
    "org.apache.spark.SparkException: Job": ("SparkException", "org.apache.spark.SparkException: Job"),
    "no class; Error Category: A; KeyError": ("KeyError", "no class; Error Category: A; KeyError"),
    "x" * 1001: ("TaskFailed", "x" * 1000),
}


@pytest.mark.parametrize("message", NAMED)
def test_the_class_that_a_message_names(message):
    assert named(message, "States.TaskFailed") == NAMED[message]


ALLOWED = {
    'max_rejected: 5 of 10; start it with "allow": ["max_deleted", "max_rejected"]': ["max_deleted", "max_rejected"],
    "5 of 10 rows are rejected, more than max_rejected allows (max_deleted: 3)": ["max_rejected"],
    "the words were cut off": ["max_deleted"],
}


@pytest.mark.parametrize("cause", ALLOWED)
def test_the_limits_that_a_batch_must_be_let_through(cause):
    assert limits_to_allow(cause) == ALLOWED[cause]


STARTED = {
    'the watermark lies behind: start {"table": "orders", "from": "<…>"}': {"table": "orders", "from": "<…>"},
    'it says: start {"table": "orders"} or wait': {},
    "it says: start {table}": {},
    "the database is away": {},
}


@pytest.mark.parametrize("cause", STARTED)
def test_the_input_that_an_extraction_says_to_start(cause):
    assert input_to_start(cause) == STARTED[cause]
