"""Settings of the support desk. What differs between machines comes from the environment:

DEBUG, SECRET_KEY, ALLOWED_HOSTS, SITE_URL, DATABASE_URL, CHATITIVE_API_URL
"""

from pathlib import Path
from urllib.parse import quote

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

DEBUG = env.bool("DEBUG", default=True)
if DEBUG:
    SECRET_KEY = env("SECRET_KEY", default="good enough on your own machine")
else:
    SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
SITE_URL = env("SITE_URL", default="http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chatitive_django",
    "chatitive_django.sandbox",  # stands in for Chatitive; not for production
    "helpdesk",
]

# Where events go: chatitive://SID:TOKEN@api.essential.to/CHANNEL_SID. When nothing is said, that is
# the sandbox that this very project serves (config/urls.py); its token opens nothing else.
SANDBOX_SID = "demo"
SANDBOX_TOKEN = "sandbox"  # noqa: S105 -- no secret
SANDBOX_HOST = SITE_URL.partition("://")[2]
SANDBOX_API_URL = (
    f"chatitive+http://{SANDBOX_SID}:{SANDBOX_TOKEN}@{SANDBOX_HOST}/sandbox/p03Gjl8Uzn0RkZSpHXHnrw"
)
CHATITIVE = {
    "API_URLS": {"default": env("CHATITIVE_API_URL", default=SANDBOX_API_URL)},
    "DISPATCHER": "embedded",  # a thread of the server delivers; no other process is needed
    "API_TEST_NUMBERS": ["206-555-0142"],  # to which the page of the channels may send a test
}

DATABASES = {
    "default": env.db(
        "DATABASE_URL", default=f"sqlite:///{quote((BASE_DIR / 'helpdesk.sqlite3').as_posix())}"
    ),
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Requests and the delivery write at the same time: let them take turns, and wait for theirs.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
            ],
        },
    },
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
