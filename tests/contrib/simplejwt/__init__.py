"""The same rule for tokens: JWT, Django REST framework, and websockets by token."""
