"""A Google Calendar v3 for one machine: the API, a control API for tests, a page for people."""
