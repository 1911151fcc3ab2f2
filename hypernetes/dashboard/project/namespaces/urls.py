# SPDX-License-Identifier: Apache-2.0
"""Addresses of the pages."""

from django.urls import path

from hypernetes.dashboard.project.namespaces import views

urlpatterns = [
    path("", views.IndexView.as_view(), name="index"),
    path("create/", views.CreateView.as_view(), name="create"),
    path("<uuid:namespace_id>/", views.DetailView.as_view(), name="detail"),
    path("<uuid:namespace_id>/describe/", views.DescribeView.as_view(), name="describe"),
]
