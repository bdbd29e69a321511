"""Users whose primary keys are UUIDs, and a proxy of them."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)


class Member(User):
    """What a site's admin may show in the place of users."""

    class Meta:
        proxy = True
