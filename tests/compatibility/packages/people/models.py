"""A person, and one who teaches."""

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from polymorphic.managers import PolymorphicManager
from polymorphic.models import PolymorphicModel


class People(PolymorphicManager, UserManager):
    """Finds each person as what the person is."""

    use_in_migrations = False


class Person(PolymorphicModel, AbstractUser):
    objects = People()


class Teacher(Person):
    subject = models.CharField(max_length=20, blank=True)
