"""What the views of a user's own sessions have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import RFC_4122, UUID

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.vary import vary_on_headers

from live_single_session.http.responses import wants_page
from live_single_session.models import (
    SESSION_ID_KEY,
    UserSession,
    UserSessionQuerySet,
    as_uuid,
)
from live_single_session.registry import db
from live_single_session.site_urls import login_url

View = Callable[..., HttpResponse]


def own(view: View) -> View:
    """Require a signed-in user; a session of another user is not found."""

    @login_not_required  # it redirects and answers itself
    @never_cache
    @vary_on_headers("Accept", "Sec-Fetch-Mode")
    @csrf_protect
    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if wants_page(request):
                return redirect_to_login(request.get_full_path(), login_url())
            return JsonResponse({"code": "not_signed_in"}, status=401)
        try:
            return view(request, **kwargs)
        except UserSession.DoesNotExist as error:
            if wants_page(request):
                raise Http404 from error
            return JsonResponse({"code": "not_found"}, status=404)

    return guarded


def rows_of(request: HttpRequest) -> UserSessionQuerySet:
    """Return the sessions of the user of a request."""
    rows: UserSessionQuerySet = UserSession.objects.using(db.database())
    user: Any = request.user
    return rows.of(user)


def row_of(request: HttpRequest, session_id: UUID) -> UserSession:
    """Return one of them; raise DoesNotExist if it is none."""
    if session_id.variant != RFC_4122:  # MariaDB calls it an error to look for some of these
        raise UserSession.DoesNotExist
    return rows_of(request).get(pk=session_id)


def current_id(request: HttpRequest) -> UUID | None:
    """Return the id of the session of a request."""
    return as_uuid(request.session.get(SESSION_ID_KEY))
