"""The three customers one can be in the storefront."""

from sandbox.store.order import Customer

DEMO = (
    Customer(7301452800513, "Avery", "Chen", "avery@example.com"),
    Customer(7301452833281, "Robin", "Tremblay", "robin@example.com"),
    Customer(7301452866049, "Sam", "Okafor", "sam@example.com"),
)


def logged_in(cookie: str | None) -> Customer | None:
    """Return the customer of a cookie, or nobody; scripts may be whom they like."""
    if cookie is None or not cookie.isdecimal() or not 0 < len(cookie) <= 16:
        return None
    return anyone(int(cookie))


def anyone(customer_id: int) -> Customer:
    """Return a demo customer, or a plain stranger with this id."""
    stranger = Customer(
        customer_id, "Customer", str(customer_id), f"customer-{customer_id}@example.com"
    )
    return next((person for person in DEMO if person.id == customer_id), stranger)
