"""Starting sessions, and ending those that are over the limit."""
