"""The test site, with more ways to treat a session."""

from django.db.transaction import non_atomic_requests as outside_transactions
from django.urls import include, path

from tests.explore import views

urlpatterns = [
    path("create/", views.create),
    path("save/", views.save),
    path("flush/", views.flush),
    path("async/create/", outside_transactions(views.acreate)),
    path("async/save/", outside_transactions(views.asave)),
    path("async/flush/", outside_transactions(views.aflush)),
    path("", include("tests.urls")),
]
