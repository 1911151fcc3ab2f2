# SPDX-License-Identifier: Apache-2.0
"""Addresses of the pages."""

from django.urls import path

from hypernetes.dashboard.admin.clusters import views

urlpatterns = [
    path("", views.IndexView.as_view(), name="index"),
    path("<uuid:cluster_id>/", views.DetailView.as_view(), name="detail"),
]
