"""The test site, with more ways to treat a session than a decent site would use."""

from django.db.transaction import non_atomic_requests as outside_transactions
from django.urls import include, path

from tests.backends import views

urlpatterns = [
    path("ended/rotate-slowly/", views.rotate_slowly),
    path("async/ended/rotate-slowly/", outside_transactions(views.arotate_slowly)),
    path("ended/rotate-later/", views.rotate_later),
    path("async/ended/rotate-later/", outside_transactions(views.arotate_later)),
    path("ended/save-slowly/", views.save_slowly),
    path("async/ended/save-slowly/", outside_transactions(views.asave_slowly)),
    path("ended/whoami-slowly/", views.whoami_slowly),
    path("ended/flush/", views.flush),
    path("ended/remember/", views.remember),
    path("ended/login-and-undo/", views.login_and_undo),
    path("", include("tests.urls")),
]
