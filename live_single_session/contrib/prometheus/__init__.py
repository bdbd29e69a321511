"""Metrics for Prometheus: what sessions, pushes, sockets and re-checks come to."""
