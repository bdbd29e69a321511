"""The security model, and where a secret must never be found."""
