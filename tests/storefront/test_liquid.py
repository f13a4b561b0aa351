"""The block as Shopify would render it, and the promises its files make."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.store import liquid

EXTENSION = liquid.extension_folder()
LANGUAGES = ("en.default", "fr")
TEMPLATES = sorted(EXTENSION.glob("*/*.liquid"))
SCRIPTS = sorted((EXTENSION / "assets").glob("*.js"))
LIMIT_BYTES = 10_000

ENGLISH: dict[str, object] = {"request": {"locale": {"iso_code": "en"}}}
FRENCH: dict[str, object] = {"request": {"locale": {"iso_code": "fr"}}}


@pytest.fixture
def schema() -> dict[str, Any]:
    block = liquid.read_block(EXTENSION / "blocks" / "booking.liquid")
    return dict(block.schema)


@pytest.mark.parametrize(
    ("context", "heading"), [(ENGLISH, "Book your session"), (FRENCH, "Réservez votre séance")]
)
def test_the_block_speaks_the_language_of_the_page(
    context: dict[str, object], heading: str
) -> None:
    page = liquid.render_block("booking", settings={}, context=context)

    assert f">{heading}</h2>" in page
    assert "Translation missing" not in page
    assert "{%" not in page
    assert "schema" not in page


def test_a_regional_language_falls_back_to_its_own() -> None:
    context: dict[str, object] = {"request": {"locale": {"iso_code": "fr-CA"}}}

    page = liquid.render_block("booking", settings={}, context=context)

    assert "Réservez votre séance" in page


def test_the_merchants_heading_is_text_and_stays_text() -> None:
    settings: dict[str, object] = {"heading": "<b>Golf</b> & more"}

    page = liquid.render_block("booking", settings=settings, context=ENGLISH)

    assert "&lt;b&gt;Golf&lt;/b&gt; &amp; more</h2>" in page


def test_given_settings_override_the_schemas_defaults() -> None:
    settings: dict[str, object] = {"proxy_path": "/a/golf", "show_coaches": False}

    page = liquid.render_block("booking", settings=settings, context=ENGLISH)

    assert 'data-proxy="/a/golf/"' in page
    assert 'data-minutes="60"' in page
    assert 'data-field="coach"' not in page


@pytest.mark.parametrize(
    ("accent", "on_accent"), [("#14614A", "#ffffff"), ("#ffd34d", "#111111"), ("#fff", "#111111")]
)
def test_the_words_on_the_accent_stay_readable(accent: str, on_accent: str) -> None:
    page = liquid.render_block("booking", settings={"accent": accent}, context=ENGLISH)

    assert f"--sb-on-accent: {on_accent}" in page


@pytest.mark.parametrize(
    ("surface", "on_surface"), [("#FFFFFF", "#111111"), ("#15201b", "#ffffff")]
)
def test_the_words_on_the_panel_stay_readable(surface: str, on_surface: str) -> None:
    page = liquid.render_block("booking", settings={"surface": surface}, context=ENGLISH)

    assert f"--sb-surface: {surface}; --sb-on-surface: {on_surface}" in page


@pytest.mark.parametrize("path", ["/apps/studio", "/apps/studio/"])
def test_the_path_of_the_proxy_ends_in_one_slash(path: str) -> None:
    page = liquid.render_block("booking", settings={"proxy_path": path}, context=ENGLISH)

    assert 'data-proxy="/apps/studio/"' in page


def test_only_a_known_customer_sees_credits() -> None:
    anonymous = liquid.render_block("booking", settings={}, context={**ENGLISH, "customer": None})
    known = liquid.render_block("booking", settings={}, context={**ENGLISH, "customer": {"id": 1}})

    for mark in ("data-credits", 'data-action="credits"'):
        assert (mark in anonymous, mark in known) == (False, True)


def test_the_texts_for_the_script_are_whole_and_cannot_end_it() -> None:
    page = liquid.render_block("booking", settings={}, context=FRENCH)

    body = page.split("data-texts>")[1].split("</script>")[0]
    texts = json.loads(body)
    assert "<" not in body
    assert all(texts.values())


def test_the_schema_keeps_shopifys_rules(schema: dict[str, Any]) -> None:
    english = liquid.read_texts(EXTENSION, "en.default.schema")
    ids = [setting["id"] for setting in schema["settings"] if "id" in setting]

    assert schema["target"] == "section"
    assert len(english[schema["name"].removeprefix("t:")]) < 25
    assert len(ids) == len(set(ids))
    assert (EXTENSION / "assets" / schema["stylesheet"]).is_file()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_schema_exists(schema: dict[str, Any], language: str) -> None:
    path = EXTENSION / "locales" / f"{language}.schema.json"
    keys = re.findall(r'"t:([\w.]+)"', json.dumps(schema))

    texts = liquid.flat(json.loads(path.read_text(encoding="utf-8")))

    assert set(keys) == set(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_templates_exists_and_is_used(language: str) -> None:
    path = EXTENSION / "locales" / f"{language}.json"
    source = "".join(template.read_text(encoding="utf-8") for template in TEMPLATES)
    used = set(re.findall(r"'([\w.]+)' \| t\b", source))

    texts = liquid.flat(json.loads(path.read_text(encoding="utf-8")))

    assert used == set(texts)


def test_the_languages_fill_in_the_same_blanks() -> None:
    english, french = (liquid.read_texts(EXTENSION, language) for language in ("en", "fr"))

    blanks = {key: set(re.findall(r"{\w+}", text)) for key, text in english.items()}

    assert {key: set(re.findall(r"{\w+}", text)) for key, text in french.items()} == blanks


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_words_of_its_own(template: Path) -> None:
    source = liquid.SCHEMA.sub("", template.read_text(encoding="utf-8"))
    source = re.sub(r"{%-? comment.*?endcomment -?%}", "", source, flags=re.DOTALL)
    source = re.sub(r"<script type=\"application/json\".*?</script>", "", source, flags=re.DOTALL)
    source = re.sub(r"{{.*?}}|{%.*?%}", "", source, flags=re.DOTALL)

    words = re.sub(r"<[^>]*>|&nbsp;", "", source).strip()

    assert words == ""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_holds_sentences_or_writes_markup(script: Path) -> None:
    source = script.read_text(encoding="utf-8")
    code = re.sub(r"/\*\*.*?\*/|^\s*//.*$", "", source, flags=re.DOTALL | re.MULTILINE)

    assert re.findall(r"['\"`][A-Z][a-z]+ [a-z]+.*?['\"`]", code) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", code) == []
    assert re.findall(r"https?://", code) == []


def test_the_whole_script_is_light() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in SCRIPTS}

    assert "studio-booking.js" in sizes
    assert sum(sizes.values()) < LIMIT_BYTES, sizes


def test_the_styles_are_light_and_stay_within_the_component() -> None:
    css = (EXTENSION / "assets" / "studio-booking.css").read_text(encoding="utf-8")
    selectors = re.findall(r"^\s*([^@{}\n/*][^{}\n]*?)\s*(?:,$|{)", css, flags=re.MULTILINE)
    outside = [one for one in selectors if not one.startswith(("studio-booking", "to", "from"))]

    assert len(gzip.compress(css.encode())) < LIMIT_BYTES
    assert len(selectors) > 50
    assert outside == []
