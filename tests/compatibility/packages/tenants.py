# ruff: noqa: F403, F405
"""django-tenants: a schema for each tenant, found by the host; KEEP says where it is kept.

KEEP is ``context`` (a context variable) or ``thread`` (as django-tenants does by itself, with
the tenant in the scope). SHARED is true where the app is in both lists.
"""

import os

from tests.settings import *

KEEP = os.environ.get("KEEP", "context")
OURS = ["live_single_session"]

TENANT_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    *OURS,
]
SHARED_APPS = [
    "django_tenants",
    "tests.compatibility.packages.customers",
    "daphne",
    "channels",
    "django.contrib.staticfiles",
    "django.contrib.contenttypes",
]
if os.environ.get("SHARED"):
    SHARED_APPS += ["django.contrib.auth", "django.contrib.sessions", *OURS]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
TENANT_MODEL, TENANT_DOMAIN_MODEL = "customers.Client", "customers.Domain"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
MIGRATION_MODULES = {"customers": None}
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
DATABASES["default"]["ENGINE"] = (
    "tests.compatibility.packages.tenant_in_context"
    if KEEP == "context"
    else "django_tenants.postgresql_backend"
)
ASGI_APPLICATION = "tests.compatibility.packages.tenants_asgi.application"
