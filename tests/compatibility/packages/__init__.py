"""The test site with other people's packages in it, one settings module for each."""
