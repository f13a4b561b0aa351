"""Renders the theme app extension's blocks the way the shop's own theme would."""

import html
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from liquid import CachingFileSystemLoader, Environment, Markup

ASSETS_URL = "/extensions/studio-booking/assets"
FALLBACK_LANGUAGE = "en"

_EXTENSION = Path("shopify", "extensions", "studio-booking")
SCHEMA = re.compile(r"{%-?\s*schema\s*-?%}(?P<json>.*?){%-?\s*endschema\s*-?%}", re.DOTALL)
_PLACEHOLDER = re.compile(r"{{\s*(\w+)\s*}}")
_UNSAFE_IN_SCRIPTS = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block's template and the schema that stood at its end."""

    template: str
    schema: Mapping[str, object]

    def defaults(self) -> dict[str, object]:
        """Return what each setting is before the merchant touches it."""
        settings = cast(list[dict[str, object]], self.schema.get("settings", []))
        return {str(one["id"]): one.get("default") for one in settings if "id" in one}


def render_block(
    name: str,
    *,
    settings: dict[str, object],
    context: dict[str, object],
    extension: Path | None = None,
) -> str:
    """Render a block with the given settings over its schema's defaults."""
    folder = extension or extension_folder()
    block = read_block(folder / "blocks" / f"{name}.liquid")
    environment = _environment(folder, language=_language(context))
    given = {"routes": {"root_url": "/"}, **context}
    given["block"] = {
        "id": name,
        "type": name,
        "settings": {**block.defaults(), **settings},
        "shopify_attributes": Markup(f'data-block-id="{html.escape(name)}"'),
    }
    body = environment.from_string(block.template).render(**given)
    return _schema_assets(block.schema) + body


def extension_folder() -> Path:
    """Find the extension: where `SANDBOX_EXTENSION` says, else upwards from this file."""
    named = os.environ.get("SANDBOX_EXTENSION")
    if named:
        return Path(named)
    for parent in Path(__file__).resolve().parents:
        if (parent / _EXTENSION).is_dir():
            return parent / _EXTENSION
    raise FileNotFoundError(f"no {_EXTENSION} above {__file__}; set SANDBOX_EXTENSION")


def read_block(path: Path) -> Block:
    """Split a block's file into its template and its schema."""
    source = path.read_text(encoding="utf-8")
    found = SCHEMA.search(source)
    if found is None:
        raise ValueError(f"{path.name} has no schema")
    return Block(template=SCHEMA.sub("", source), schema=json.loads(found["json"]))


def read_texts(folder: Path, language: str) -> dict[str, str]:
    """Return the extension's texts by dotted key, the default language's where one is missing."""
    texts = flat(json.loads((folder / "locales" / "en.default.json").read_text(encoding="utf-8")))
    for candidate in (language.split("-")[0], language):
        path = folder / "locales" / f"{candidate}.json"
        if path.is_file():
            texts |= flat(json.loads(path.read_text(encoding="utf-8")))
    return texts


def flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return a locale file's texts by their dotted keys."""
    texts: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            texts |= flat(value, f"{prefix}{key}.")
        else:
            texts[f"{prefix}{key}"] = str(value)
    return texts


def _language(context: Mapping[str, object]) -> str:
    request = context.get("request")
    locale = request.get("locale") if isinstance(request, Mapping) else None
    code = locale.get("iso_code") if isinstance(locale, Mapping) else None
    return str(code or FALLBACK_LANGUAGE)


def _environment(folder: Path, *, language: str) -> Environment:
    loader = CachingFileSystemLoader(folder / "snippets", ext=".liquid")
    environment = Environment(loader=loader)
    environment.filters |= {
        "asset_url": _asset_url,
        "color_brightness": _color_brightness,
        "json": _json,
        "stylesheet_tag": _stylesheet_tag,
        "t": _translator(read_texts(folder, language)),
        "translate": _translator(read_texts(folder, language)),
    }
    return environment


def _translator(texts: Mapping[str, str]) -> Callable[..., str]:
    def translate(key: object, **values: object) -> str:
        if "count" in values:
            key = f"{key}.{'one' if values['count'] == 1 else 'other'}"
        if str(key) not in texts:
            return f"Translation missing: {key}"
        # Shopify escapes what is filled in, unless the key says that it is HTML.
        safe = str if str(key).endswith("_html") else lambda value: html.escape(str(value))
        return _PLACEHOLDER.sub(lambda found: safe(values.get(found[1], "")), texts[str(key)])

    return translate


def _asset_url(name: object) -> str:
    return f"{ASSETS_URL}/{name}"


def _stylesheet_tag(url: object, **_: object) -> str:
    return f'<link rel="stylesheet" href="{html.escape(str(url))}" media="all">'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_UNSAFE_IN_SCRIPTS)


def _color_brightness(colour: object) -> float:
    digits = str(colour).lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    return round((red * 299 + green * 587 + blue * 114) / 1000, 2)


def _schema_assets(schema: Mapping[str, object]) -> str:
    """Return the tags of the assets a schema names; Shopify puts them into the page's head."""
    tags = ""
    if "stylesheet" in schema:
        tags += _stylesheet_tag(_asset_url(schema["stylesheet"])) + "\n"
    if "javascript" in schema:
        tags += f'<script src="{_asset_url(schema["javascript"])}" defer></script>\n'
    return tags
