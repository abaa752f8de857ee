"""Shows that the installed package stands by itself: its pages render, its files are all there.

To be run with -I, by the Python of an environment that holds the wheel and nothing else:

    python -I check_wheel.py             the app and its admin
    python -I check_wheel.py sandbox     the sandbox too, with the extra of that name
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import files
from pathlib import Path
from typing import Any

import chatitive_django.client

urlpatterns: list[Any] = []


def main(*, with_sandbox: bool) -> None:
    check_distribution()
    set_up(with_sandbox=with_sandbox)
    check_admin()
    if with_sandbox:
        check_sandbox()


def check_distribution() -> None:
    assert "django" not in sys.modules, "chatitive_django.client imports Django"
    package = Path(chatitive_django.__file__).parent
    assert package.is_relative_to(sys.prefix), f"{package} is not the installed package"
    assert (package / "py.typed").is_file(), "py.typed is missing: type checkers ignore the package"
    top = {path.parts[0] for path in files("chatitive-django") or [] if ".." not in path.parts}
    strange = {name for name in top if not re.fullmatch(r"chatitive_django(-.+\.dist-info)?", name)}
    assert not strange, f"the wheel also installs {', '.join(sorted(strange))}"


def set_up(*, with_sandbox: bool) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    apps = ["admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"]
    sandbox = ["chatitive_django.sandbox"] if with_sandbox else []
    settings.configure(
        SECRET_KEY="only for this check",
        ALLOWED_HOSTS=["testserver"],
        ROOT_URLCONF=__name__,
        STATIC_URL="/static/",
        USE_TZ=True,
        INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), "chatitive_django", *sandbox],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
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
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        # Nothing is sent: no worker runs, and one in a thread would see another database in memory.
        CHATITIVE={
            "API_URLS": {"default": "chatitive://SID:TOKEN@api.example/CHANNEL"},
            "DISPATCHER": "worker",
        },
        CHATITIVE_SANDBOX_ALLOWED=True,
    )
    django.setup()

    from django.contrib import admin
    from django.urls import include, path

    urlpatterns.append(path("admin/", admin.site.urls))
    if with_sandbox:
        urlpatterns.append(path("sandbox/", include("chatitive_django.sandbox.urls")))
    call_command("check")
    call_command("migrate", verbosity=0)


def check_admin() -> None:
    from django.contrib.auth import get_user_model
    from django.test import Client

    from chatitive_django import notify
    from chatitive_django.models import Notification

    row = notify("WheelInstalled", phone_number="+1 202 555 0123", payload={"who": "Pam"})
    Notification.objects.update(status=Notification.Status.REJECTED)  # a resend is for what ended
    staff = Client()
    staff.force_login(get_user_model().objects.create_superuser("staff", password="staff"))
    log = "/admin/chatitive_django/notification/"
    for url in (log, f"{log}{row.pk}/change/", f"{log}{row.pk}/resend/"):
        check_page(staff, url, "WheelInstalled", "chatitive_django/")


def check_sandbox() -> None:
    from django.test import Client

    check_page(Client(), "/sandbox/inbox/", "Chatitive sandbox", "chatitive_sandbox/")


def check_page(client: Any, url: str, text: str, static_folder: str) -> None:
    """Hold a page to three things: it renders, says `text`, and its own static files exist."""
    from django.contrib.staticfiles import finders

    response = client.get(url)
    html = response.content.decode()
    assert response.status_code == 200, f"{url} answers {response.status_code}"
    assert text in html, f"{url} doesn't say {text!r}"
    linked = set(re.findall(r'(?:href|src)="/static/([^"?]+)', html))
    assert any(name.startswith(static_folder) for name in linked), f"{url} links no static file"
    missing = sorted(name for name in linked if not finders.find(name))
    assert not missing, f"{url} links static files that aren't installed: {', '.join(missing)}"
    print(f"200 {url}, with {len(linked)} static files")


if __name__ == "__main__":
    main(with_sandbox=sys.argv[1:] == ["sandbox"])
