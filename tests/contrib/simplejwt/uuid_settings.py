"""Settings of a site with an API, whose users have UUIDs for primary keys."""

from tests.contrib.simplejwt.settings import *  # noqa: F403
from tests.contrib.simplejwt.settings import INSTALLED_APPS as API_APPS

INSTALLED_APPS = [*API_APPS, "tests.contrib.simplejwt.uuid_people"]
AUTH_USER_MODEL = "uuid_people.User"
