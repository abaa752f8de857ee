"""The settings of the tests, with the benchmarks' own models."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks"]
# Nobody is meant to see the sandbox's pages here.
SILENCED_SYSTEM_CHECKS = ["chatitive_sandbox.W001"]
ALLOWED_HOSTS = ["testserver"]
