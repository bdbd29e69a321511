"""The demo's pages: who is signed in, a note to write, and two browsers side by side."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import (
    LoginView,
    PasswordResetConfirmView,
    PasswordResetView,
)
from django.contrib.messages.views import SuccessMessageMixin
from django.core import mail
from django.shortcuts import redirect, render
from django.urls import reverse_lazy

from demo.browsers import BROWSERS, browser_of, host_of
from demo.models import Note
from demo.users import DEMO_USERS
from live_single_session.devices import device_of
from live_single_session.models import UserSession


def home(request):
    """The site's home; on the demo's own host name, the page with the two browsers."""
    if host_of(request) == settings.DEMO_HOST:
        laptop, phone = BROWSERS
        context = {"laptop": laptop, "phone": phone, "port": request.get_port()}
        return render(request, "demo/side_by_side.html", context)

    context = {"framed": browser_of(request), "demo_host": settings.DEMO_HOST}
    if request.user.is_authenticated:
        sign_ins = UserSession.objects.of(request.user).order_by("-serial")[:5]
        context["sign_ins"] = [(device_of(row.user_agent), row) for row in sign_ins]
    return render(request, "demo/home.html", context)


@login_required
def notes(request):
    note, _ = Note.objects.get_or_create(user=request.user)
    if request.method == "POST":
        note.text = request.POST.get("text", "")
        note.save()
        messages.success(request, "Saved.")
        return redirect("notes")
    return render(request, "demo/notes.html", {"note": note})


class DemoLoginView(LoginView):
    template_name = "demo/login.html"
    extra_context = {"demo_users": DEMO_USERS}


class DemoPasswordResetView(PasswordResetView):
    template_name = "demo/password_reset.html"
    extra_context = {"demo_users": DEMO_USERS}


def mail_that_was_sent(request):
    """What a real site says here is that a mail is on its way. The demo shows it."""
    sent = getattr(mail, "outbox", [])
    return render(request, "demo/mail.html", {"mail": sent[-1] if sent else None})


class DemoPasswordResetConfirmView(SuccessMessageMixin, PasswordResetConfirmView):
    template_name = "demo/password_reset.html"
    success_url = reverse_lazy("login")
    success_message = "Your new password is set, and you are signed out everywhere."
