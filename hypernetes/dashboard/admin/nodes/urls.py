# SPDX-License-Identifier: Apache-2.0
"""Addresses of the pages."""

from django.urls import path

from hypernetes.dashboard.admin.nodes import views

urlpatterns = [
    path("", views.IndexView.as_view(), name="index"),
    path("<uuid:node_id>/disable/", views.DisableView.as_view(), name="disable"),
    path("create/", views.CreateView.as_view(), name="create"),
]
