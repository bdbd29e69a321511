"""Make three tenants, the public one among them, and the users of the two others."""

import django

MANY = [f"person{number}" for number in range(50)]  # in each tenant, with the same keys

if __name__ == "__main__":
    django.setup()
    from django.core.management import call_command
    from django_tenants.utils import schema_context

    from tests.compatibility.packages.customers.models import Client, Domain
    from tests.site.people import sign_up

    call_command("migrate_schemas", "--shared", "--run-syncdb", verbosity=0)
    for name in ("public", "one", "two"):
        client = Client.objects.create(schema_name=name)
        Domain.objects.create(domain=f"{name}.localhost", tenant=client)
        if name != "public":
            with schema_context(name):
                sign_up(MANY)
