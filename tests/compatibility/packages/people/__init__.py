"""An app with a polymorphic user model."""
