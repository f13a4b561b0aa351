"""Amounts: integers in cents here, decimal strings towards Shopify's clients."""

from decimal import Decimal, InvalidOperation

from sandbox.store.errors import Refused


def parse(text: object) -> int:
    """Return the cents of an amount such as "45.00"; refuses what is not one."""
    try:
        cents = Decimal(str(text)) * 100
        whole = int(cents)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise Refused(f"{text!r} is not an amount such as 45.00") from error
    if cents != whole or isinstance(text, bool):
        raise Refused(f"{text!r} is not an amount such as 45.00")
    return whole


def text(minor: int) -> str:
    """Write cents the way Shopify does."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d}"


def both(minor: int, currency: str) -> dict[str, dict[str, str]]:
    """Return the REST money set: shop money and presentment money, equal here."""
    one = {"amount": text(minor), "currency_code": currency}
    return {"shop_money": one, "presentment_money": dict(one)}
