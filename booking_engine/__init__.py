"""The domain: what can be booked, who has booked it, and the credits that paid for it.

Nothing here knows HTTP, Celery, Shopify, Google, the clock or the settings; they arrive as values.
"""
