"""The real servers and the browser that the suite runs against, one module each."""
