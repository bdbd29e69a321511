"""The pages of the test site; those of live_single_session are under session/.

Django serves an async view under ATOMIC_REQUESTS only if that view opts out of it.
"""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.db.transaction import non_atomic_requests as outside_transactions
from django.urls import include, path

from tests.site import views

urlpatterns = [
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("session/", include("live_single_session.urls")),
    path("whoami/", views.whoami),
    path("private/", views.private),
    path("api/private/", views.private_api),
    path("api/login/", views.login),
    path("api/login-and-fail/", views.login_and_fail),
    path("api/logout/", views.logout),
    path("slow/", views.slow),
    path("rotate/", views.rotate),
    path("password/", views.password),
    path("async/whoami/", outside_transactions(views.awhoami)),
    path("async/private/", outside_transactions(views.aprivate)),
    path("async/api/private/", outside_transactions(views.aprivate_api)),
    path("async/api/login/", outside_transactions(views.alogin)),
    path("async/api/logout/", outside_transactions(views.alogout)),
    path("async/slow/", outside_transactions(views.aslow)),
    path("async/rotate/", outside_transactions(views.arotate)),
    path("async/password/", outside_transactions(views.apassword)),
    path("stream/", outside_transactions(views.stream)),
    path("static/<path:path>", serve, {"insecure": True}),
]
