"""A database backend that keeps the tenant in a context variable."""
