"""HTML that people read and print: made here whole, without scripts, without anything fetched."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent / "templates"
_pages = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "private, no-store",
    # Our own style sheet, known by its digest, and nothing else at all.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, **shown: Any) -> Response:
    """Return a page made of a template, with headers that let it do nothing but be read."""
    text = _pages.get_template(template).render(style=_STYLE, **shown)
    return Response(text, headers=HEADERS, media_type="text/html; charset=utf-8")
