from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import chatitive_django


def test_every_public_name_is_there_and_listed():
    for name in chatitive_django.__all__:
        assert getattr(chatitive_django, name) is not None
    assert set(chatitive_django.__all__) <= set(dir(chatitive_django))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Evnt'"):
        _ = chatitive_django.Evnt


def test_no_module_is_spelled_like_a_public_name():
    """Importing such a module would replace the public name on the package."""
    modules = {module.name for module in pkgutil.iter_modules(chatitive_django.__path__)}
    assert not modules & set(chatitive_django.__all__)


def test_importing_every_module_leaves_the_public_names_what_they_are():
    before = {name: getattr(chatitive_django, name) for name in chatitive_django.__all__}
    for module in pkgutil.walk_packages(chatitive_django.__path__, "chatitive_django."):
        importlib.import_module(module.name)
    assert {name: getattr(chatitive_django, name) for name in before} == before


def test_the_package_itself_imports_nothing_of_django():
    code = (
        "import sys, chatitive_django; assert not any(m.startswith('django') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["Event", "Changed", "Path", "Constant", "If"])
def test_a_models_module_may_import_before_the_apps_are_ready(name):
    code = (
        "from django.conf import settings; settings.configure();"
        f"from chatitive_django import {name}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_page_beside_djangos_own_stands_in_the_one_frame():
    """Its breadcrumbs, styles and media are right in each version of Django and in the themes."""
    templates = Path(chatitive_django.__file__).parent / "templates"
    assert not [
        str(each.relative_to(templates))
        for each in templates.rglob("*.html")
        if 'extends "admin/base' in each.read_text()
    ]
