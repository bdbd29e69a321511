"""The package as it is run: on several nodes, other servers, installed, beside others."""
