"""An app with the tenants."""
