"""Users whose primary keys are UUIDs."""
