"""Where a channel's messages go, by the scheme of its URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..conf import InvalidSetting, did_you_mean, settings
from ..exceptions import InvalidURL
from .api import APIBackend
from .base import Backend, Message
from .console import ConsoleBackend
from .locmem import LocmemBackend, outbox

SCHEMES: dict[str, type[Backend]] = {
    "chatitive": APIBackend,
    "chatitive+http": APIBackend,
    "console": ConsoleBackend,
    "locmem": LocmemBackend,
}


def make_backend(alias: str, url: str) -> Backend:
    """The backend of one channel; raises `InvalidSetting`, whose text never holds the URL."""
    scheme = url.partition("://")[0] if "://" in url else ""
    where = f'CHATITIVE["API_URLS"][{alias!r}]'
    if scheme not in SCHEMES:
        hint = did_you_mean(scheme, list(SCHEMES)) if scheme.replace("+", "").isalpha() else ""
        raise InvalidSetting(
            f"{where} must look like chatitive://SID:TOKEN@api.essential.to/CHANNEL_SID, "
            f"console:// or locmem://, and its scheme is none of these. {hint}".rstrip()
        )
    try:
        urlsplit(url)
        return SCHEMES[scheme](alias, url)
    except (InvalidURL, ValueError) as error:
        text = str(error) if isinstance(error, InvalidURL) else "is no URL."
        raise InvalidSetting(f"{where}: {text}") from None


def get_backend(alias: str) -> Backend:
    """The backend of a configured channel; raises `InvalidSetting` where there is none."""
    urls = settings.API_URLS
    if alias not in urls:
        raise InvalidSetting(
            f'{alias!r} is no channel of CHATITIVE["API_URLS"]. {did_you_mean(alias, list(urls))}'
        )
    return make_backend(alias, urls[alias])


__all__ = ["Backend", "Message", "get_backend", "make_backend", "outbox"]
