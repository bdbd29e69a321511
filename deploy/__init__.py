"""The demo as a site in production: two nodes behind nginx. See docs/deployment.md."""
