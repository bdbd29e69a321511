from django.urls import include, path

from benchmarks.site import views
from benchmarks.site.settings import WITH_OURS

urlpatterns = [
    path("public/", views.public),
    path("async/private/", views.aprivate),
    path("private/", views.private),
    path("login/", views.login),
    path("async/login/", views.alogin),
]
if WITH_OURS:
    urlpatterns.append(path("session/", include("live_single_session.urls")))
