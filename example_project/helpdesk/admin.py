"""Where staff work: a ticket's status is changed here, in the list or in its form."""

from django.contrib import admin

from chatitive_django.admin import MessagesMixin

from .models import Agent, Customer, Ticket

admin.site.site_header = admin.site.site_title = "Support desk"


@admin.register(Ticket)
class TicketAdmin(MessagesMixin, admin.ModelAdmin):
    list_display = ["__str__", "customer", "agent", "status"]
    list_editable = ["status"]
    list_filter = ["status", "agent"]
    list_select_related = ["customer", "agent"]
    search_fields = ["title", "customer__name"]


@admin.register(Customer)
class CustomerAdmin(MessagesMixin, admin.ModelAdmin):
    chatitive_phone_number = "phone"  # the texts to this person, beside those about the record
    list_display = ["name", "phone", "agreed_to_texts"]
    search_fields = ["name", "phone"]


@admin.register(Agent)
class AgentAdmin(admin.ModelAdmin):
    search_fields = ["name"]
