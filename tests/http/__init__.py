"""What a response has to say of sessions."""
