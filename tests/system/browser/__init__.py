"""A real browser reads a page: what it logs, what it asks for, and what keeps people out of the page."""
