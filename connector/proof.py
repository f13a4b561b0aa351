"""Reports that prove where they come from: HMAC-SHA256 under a key made of the client secret."""

import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any

_PURPOSE = b"simstudio report 1"


def sign(report: Mapping[str, Any], secret: str) -> str:
    """Return the signature of a report, over everything in it but the signature itself."""
    key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
    signed = {name: value for name, value in report.items() if name != "signature"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.digest(key, text.encode(), "sha256").hex()


def is_ours(report: Mapping[str, Any], secrets: Iterable[str]) -> bool:
    """Tell whether one of the secrets has signed the report, and nobody changed it since."""
    given = str(report.get("signature", "")).encode()
    return any(hmac.compare_digest(sign(report, secret).encode(), given) for secret in secrets)


def read(text: str) -> list[dict[str, Any]]:
    """Return the reports of a file; raises `ValueError` for what is no list of reports."""
    try:
        reports = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("that is no JSON; give the file that `--json` wrote") from None
    if not isinstance(reports, list) or not all(isinstance(each, dict) for each in reports):
        raise ValueError("that is no list of reports; give the file that `--json` wrote")
    return reports
