"""An app whose second factors end the other sessions, as the recipe says."""
