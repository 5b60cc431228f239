"""The store of limits against Debian's Redis: the tests of tests/runners/redis_limits.cpp, one by one."""
import os
import subprocess

import pytest
from harness.process import build_folder
from harness.redis import Redis

TESTS = [
    "RandomSchedules_AreAnsweredAsTheModelDoes",
    "ManyStoresAtOnce_LetInNoMoreThanTheBurst",
    "WhenTheRateOfAKeyChanges_WhatWasCountedStaysAsManyEvents",
    "ByItsOwnClock_WhatWasCountedWearsOffAndTheKeyVanishes",
    "SessionsOfAReplicaThatFellSilent_AreNotCounted",
    "WhatIsCounted_IsListedAndForgottenAndNothingElse",
    "Replicas_AreCountedOnceForAllTheirStores",
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.set_user("ann", record="{SCRAM-SHA-256}4096,c2FsdA==,AAAA,BBBB")
    yield redis
    redis.stop()


def run(redis, *words):
    command = [str(build_folder() / "gatepost-redis-limits"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | {"GATEPOST_REDIS": f"redis://127.0.0.1:{redis.port}/0"})


@pytest.mark.parametrize("test", TESTS)
def test_against_redis(redis, test):
    result = run(redis, f"--gtest_filter=RedisLimits.{test}")
    assert result.returncode == 0 and "[  PASSED  ] 1 test." in result.stdout, result.stdout[-4000:] + result.stderr[-2000:]


def test_all_are_run(redis):
    listed = [line.strip() for line in run(redis, "--gtest_list_tests").stdout.splitlines() if line.startswith("  ")]
    assert listed == TESTS


def test_users_are_untouched(redis):
    assert redis.command("HGET", "gatepost:user:ann", "record").startswith("{SCRAM")
