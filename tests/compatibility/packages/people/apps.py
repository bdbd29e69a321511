"""Its entry in ``INSTALLED_APPS``."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "tests.compatibility.packages.people"
    label = "people"
    default = True
