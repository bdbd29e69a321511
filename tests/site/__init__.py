"""The site that the tests use, as a site's developer would have written it."""
