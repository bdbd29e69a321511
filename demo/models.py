"""What the demo keeps of its users: a note for each."""

from django.conf import settings
from django.db import models


class Note(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    text = models.TextField(blank=True)
    saved_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"The note of {self.user}"
