"""Users who are persons, by a table of their own: their primary key is a relation."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models


class Person(models.Model):
    title = models.CharField(max_length=20, blank=True)

    def __str__(self):
        return self.title


class User(Person, AbstractUser):
    objects = UserManager()

    def __str__(self):
        return self.username
