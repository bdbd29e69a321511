"""Settings of a site with an API, whose users have UUIDs for primary keys."""

from tests.tokens.settings import *  # noqa: F403
from tests.tokens.settings import INSTALLED_APPS as API_APPS

INSTALLED_APPS = [*API_APPS, "tests.tokens.uuid_people"]
AUTH_USER_MODEL = "uuid_people.User"
