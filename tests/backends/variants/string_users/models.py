"""Users whose primary keys are their names."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    username = models.CharField(max_length=150, primary_key=True)
