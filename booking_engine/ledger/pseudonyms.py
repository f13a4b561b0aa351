"""Names that lead nowhere without a key: keyed hashes of addresses and customers, codes of claims.

Nothing here is kept in the clear (product rules D10 and D13). Pure; keys come as values.
"""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that can be misread aloud
CODE_LENGTH = 16
_GROUP = 4


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Hashes with the first key, and recognises what any of the keys has made."""

    keys: tuple[bytes, ...]

    def addresses(self, studio_id: int, address: str) -> list[bytes]:
        """Return the hashes of an e-mail address, the present key's first.

        Only blanks around it and the case of its letters make no difference (D10).
        """
        return [_hash(key, "address", studio_id, address.strip().lower()) for key in self.keys]

    def customers(self, studio_id: int, customer_id: int) -> list[bytes]:
        """Return the hashes of a shop's customer id, the present key's first."""
        return [_hash(key, "customer", studio_id, str(customer_id)) for key in self.keys]

    def code(self, studio_id: int, claim_code_id: UUID) -> str:
        """Return the code that belongs to a row; it can be shown again without being kept."""
        return self.codes(studio_id, claim_code_id)[0]

    def codes(self, studio_id: int, claim_code_id: UUID) -> list[str]:
        """Return the codes that each of the keys makes for a row, the present key's first."""
        return [_letters(_hash(key, "code", studio_id, str(claim_code_id))) for key in self.keys]


def code_digest(code: str) -> bytes:
    """Return what is kept of a code; blanks, dashes and case make no difference.

    A code is random enough (79 bits) for a plain hash.
    """
    letters = "".join(each for each in code.upper() if each.isalnum())
    return hashlib.sha256(letters.encode()).digest()


def _letters(digest: bytes) -> str:
    number, letters = int.from_bytes(digest), ""
    for _ in range(CODE_LENGTH):
        number, rest = divmod(number, len(LETTERS))
        letters += LETTERS[rest]
    return "-".join(letters[at : at + _GROUP] for at in range(0, CODE_LENGTH, _GROUP))


def _hash(key: bytes, kind: str, studio_id: int, value: str) -> bytes:
    return hmac.digest(key, f"{kind}:{studio_id}:{value}".encode(), "sha256")
