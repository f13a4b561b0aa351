"""A Shopify store for one machine: pages, cart, webhooks, app proxy and Admin API."""
