"""Settings of the test suite; DATABASE names the vendor: sqlite, postgresql or mariadb.

ADMIN_THEME names an app that dresses Django's admin: unfold or jazzmin.
Worker processes that a test starts are given the test database by DATABASE_NAME.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

SECRET_KEY = "only for tests"
USE_TZ = True
TIME_ZONE = "America/New_York"  # not UTC, so that a clock read in the wrong zone is noticed
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

ADMIN_THEME = os.environ.get("ADMIN_THEME", "")
INSTALLED_APPS = [
    *filter(None, [ADMIN_THEME]),
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chatitive_django",
    "chatitive_django.sandbox",
    "django_tasks_db",
    "tests.desk",
    "tests.fields_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}
JAZZMIN_UI_TWEAKS = {"default_theme_mode": "auto"}

VENDOR = os.environ.get("DATABASE", "sqlite")
# A file, for worker processes join in; given by the parent process to its children.
if "SQLITE_FILE" not in os.environ:
    directory = tempfile.mkdtemp(prefix="chatitive-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    os.environ["SQLITE_FILE"] = str(Path(directory) / "test.sqlite3")
SQLITE_FILE = os.environ["SQLITE_FILE"]
# Suites that run side by side on one server need a name each.
TEST_DATABASE = "test_chatitive" + os.environ.get("TEST_DATABASE_SUFFIX", "")
DATABASES = {
    "sqlite": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": SQLITE_FILE,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        },
        "TEST": {"NAME": SQLITE_FILE},
    },
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("DATABASE_NAME", "postgres"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        "TEST": {"NAME": TEST_DATABASE},
    },
    "mariadb": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": os.environ.get("DATABASE_NAME", "test"),
        "USER": os.environ.get("MYSQL_USER", "root"),
        "PASSWORD": os.environ.get("MYSQL_PASSWORD", ""),
        "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
        "PORT": os.environ.get("MYSQL_PORT", "3306"),
        "OPTIONS": {"charset": "utf8mb4"},
        "TEST": {"NAME": TEST_DATABASE, "CHARSET": "utf8mb4"},
    },
}
DATABASES = {"default": DATABASES[VENDOR]}

TASKS = {"default": {"BACKEND": os.environ.get("TASKS_BACKEND", "django_tasks_db.DatabaseBackend")}}

CHATITIVE = {
    "API_URLS": {
        "default": os.environ.get(
            "CHATITIVE_API_URL", "chatitive://SID:TOKEN@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"
        )
    },
    "DISPATCHER": "worker",
    **json.loads(os.environ.get("CHATITIVE_EXTRA", "{}")),
}
