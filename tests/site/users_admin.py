"""The test site with an admin of users that the documentation tells a site to write."""

from django.contrib.admin import AdminSite
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import include, path

from live_single_session.admin import SignOutEverywhereMixin, UserSessionAdmin
from live_single_session.models import UserSession

site = AdminSite()


class UserAdminOfTheSite(SignOutEverywhereMixin, UserAdmin):
    pass


site.register(User, UserAdminOfTheSite)
site.register(UserSession, UserSessionAdmin)

urlpatterns = [path("admin/", site.urls), path("", include("tests.urls"))]
