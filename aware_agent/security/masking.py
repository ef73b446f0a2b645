"""Secrets in what a program prints: replaced in every form they are likely to have there. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote

MASK = "********"
LEAST_SECRET = 4  # characters; a shorter one would be found in ordinary words


class Masker:
    """Replaces secrets, in every form they are likely to be printed in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = sorted((form for form in forms if len(form) >= LEAST_SECRET), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """``text`` without them."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


def _forms(secret: str) -> Iterable[str]:
    """As it is, line by line, as JSON, in a URL, in base64."""
    for text in dict.fromkeys((secret, secret.strip(), *secret.splitlines())):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield quote(text, safe="")
        yield base64.b64encode(text.encode()).decode().rstrip("=")
