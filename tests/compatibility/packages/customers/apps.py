"""Its entry in ``INSTALLED_APPS``."""

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "tests.compatibility.packages.customers"
    label = "customers"
    default = True
