"""The session engines: what is ended stays ended, on each of them."""
