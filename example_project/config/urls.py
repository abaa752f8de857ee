"""The desk's own pages, the admin, and the sandbox that stands in for Chatitive."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import DetailView, TemplateView

from helpdesk.models import Ticket

urlpatterns = [
    path("", TemplateView.as_view(template_name="helpdesk/index.html"), name="index"),
    path("tickets/<int:pk>/", DetailView.as_view(model=Ticket), name="ticket"),
    path("admin/", admin.site.urls),
    path("sandbox/", include("chatitive_django.sandbox.urls")),
]
