"""What people read is in the catalogues; a line of `docs/translate.md` brings them up to date."""

from __future__ import annotations

import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import translation

import chatitive_django

PACKAGE = Path(chatitive_django.__file__).parent
DOCS = PACKAGE.parent / "docs" / "translate.md"
LANGUAGES = ["pt", "es"]

pytestmark = pytest.mark.skipif(
    not shutil.which("msgfmt") and "CI" not in os.environ, reason="GNU gettext isn't installed"
)


@pytest.fixture(scope="module")
def updated(tmp_path_factory):
    """A copy of the package in which the line of the docs was run; gives its locale directory."""
    (line,) = re.findall(r"^    (cd .*)$", DOCS.read_text(), re.MULTILINE)
    above = tmp_path_factory.mktemp("translations")
    shutil.copytree(PACKAGE, above / PACKAGE.name, ignore=shutil.ignore_patterns("*.mo"))
    kept = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    commands = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=above,
        env={**kept, "PATH": commands},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return above / PACKAGE.name / "locale"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_read_is_found_in_code_and_in_templates(language, updated):
    catalogue = (updated / language / "LC_MESSAGES" / "django.po").read_text()
    for text in (
        "The customers may get a second text.",  # in the admin's code
        "A member of staff cancelled it.",  # of a reason
        "allow new",  # the name of a field
        "Yes, resend what is ticked",  # in a template
    ):
        assert f'\nmsgid "{text}"\n' in catalogue


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["--untranslated", "--only-fuzzy"])
def test_every_message_is_translated(language, kind, updated):
    catalogue = updated / language / "LC_MESSAGES" / "django.po"
    wanting = _gettext("msgattrib", kind, "--no-obsolete", catalogue).stdout
    assert not re.findall(r'^msgid "(?!"$).*$', wanting, re.MULTILINE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_message(language):
    catalogue = PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"
    checked = _gettext("msgfmt", "--check-format", "--output-file", os.devnull, catalogue)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_installed_was_built_from_the_catalogue(language, updated):
    built = Path(language) / "LC_MESSAGES" / "django.mo"
    installed, anew = (_messages(above / built) for above in (PACKAGE / "locale", updated))
    assert installed == anew


@pytest.mark.parametrize(("spoken", "language"), [("pt-br", "pt"), ("es-mx", "es")])
def test_people_across_the_sea_read_the_same_catalogue(spoken, language):
    texts = []
    for each in (spoken, language):
        with translation.override(each):
            texts.append(translation.gettext("A member of staff cancelled it."))
    assert texts[0] == texts[1] != "A member of staff cancelled it."


def _messages(path):
    with path.open("rb") as file:
        found = dict(gettext.GNUTranslations(file)._catalog)
    found.pop("")  # when and by what it was made
    return found


def _gettext(*command):
    return subprocess.run(command, check=False, capture_output=True, text=True)
