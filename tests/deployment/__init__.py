"""On several nodes, as docker-compose.yml has them."""
