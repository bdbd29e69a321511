"""Whatever a client may send; `make fuzz` sends much more of it."""
