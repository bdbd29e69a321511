from django.apps import AppConfig

from tests.docs.pages import block_with


class FactorsConfig(AppConfig):
    name = "tests.compatibility.packages.factors"

    def ready(self) -> None:
        exec(block_with("authenticator_removed", "recipes.md"), {})
